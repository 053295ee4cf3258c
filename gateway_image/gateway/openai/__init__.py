"""The OpenAI API as data: its requests, its responses, and what they may hold."""
