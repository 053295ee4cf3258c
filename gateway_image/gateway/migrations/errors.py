"""What keeps a migration from being done."""


class MigrationError(Exception):
    """The schema was not migrated; the message says why."""
