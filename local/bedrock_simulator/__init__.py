"""A simulator of Amazon Bedrock's runtime API: wire formats, refusals, quotas and faults on command."""
