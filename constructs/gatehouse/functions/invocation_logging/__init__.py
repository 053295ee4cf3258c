"""Configures where Bedrock logs the invocations of models."""
