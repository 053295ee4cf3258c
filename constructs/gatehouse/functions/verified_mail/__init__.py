"""Waits until Amazon SES has verified a domain."""
