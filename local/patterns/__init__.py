"""Five resilience patterns for Amazon Bedrock behind a gateway, measured: `python -m local.patterns`."""
