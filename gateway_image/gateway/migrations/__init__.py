"""The database's schema, step by step, and the command that takes it to the newest one."""
