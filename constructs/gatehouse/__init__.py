"""Reusable constructs of the platform: one capability a module, taking interfaces, defining resources."""
