"""The LLM gateway that Gatehouse deploys: an OpenAI-compatible API in front of Amazon Bedrock."""

DEFAULT_PORT = 8080
DEFAULT_METRICS_PORT = 9464
