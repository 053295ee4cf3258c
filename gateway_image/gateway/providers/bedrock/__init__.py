"""Amazon Bedrock: translation between OpenAI chat completions and Converse, and calling it."""
