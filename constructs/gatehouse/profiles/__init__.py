"""Gateways whose images the platform knows how to run."""
