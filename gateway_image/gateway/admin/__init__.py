"""The admin API: projects, API keys, roles, limits, usage and the log of changes."""
