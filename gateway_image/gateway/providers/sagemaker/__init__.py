"""SageMaker endpoints whose containers speak OpenAI's API."""
