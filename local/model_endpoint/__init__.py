"""An OpenAI-compatible provider, a SageMaker endpoint and the secret of a key, on one machine."""
