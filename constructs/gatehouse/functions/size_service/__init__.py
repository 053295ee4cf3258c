"""How many tasks a service may run."""
