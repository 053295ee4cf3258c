"""Anthropic's API as this gateway speaks it."""
