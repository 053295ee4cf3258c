"""Providers that speak OpenAI's API: requests and answers pass through nearly as they are."""
