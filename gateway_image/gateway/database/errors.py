"""What goes wrong with the database; no message holds a secret or a value of a row."""


class DatabaseError(Exception):
    """A statement was not run, or nobody knows whether it was.

    sqlstate: PostgreSQL's code, None if it did not say one.
    """

    def __init__(self, reason: str, *, sqlstate: str | None = None) -> None:
        super().__init__(reason)
        self.sqlstate = sqlstate


class DatabaseUnavailableError(DatabaseError):
    """The database is away, busy, read-only or too old: the same statement may succeed later."""


class ReadOnlyError(DatabaseUnavailableError):
    """The database is a replica: it answers reads, and takes changes once it was promoted."""


class StatementRefusedError(DatabaseError):
    """The database will refuse the same statement again: its values or its text are wrong."""
