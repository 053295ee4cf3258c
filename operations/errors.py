"""What ends a command early, and with which exit code."""

from typing import IO, Any

import click

REFUSED = 1
WRONG_USAGE = 2
UNREACHABLE = 3
INTERRUPTED = 130


class CommandError(click.ClickException):
    """A message for whoever runs the command; never holds a key."""

    def show(self, file: IO[Any] | None = None) -> None:
        """Write the message to stderr."""
        click.echo(click.style("Error: ", fg="red", bold=True) + self.message, file=file, err=True)


class RefusedError(CommandError):
    """The gateway or AWS said no. status: its HTTP status; code: its word for the reason, if it gave one."""

    exit_code = REFUSED

    def __init__(self, message: str, *, status: int = 0, code: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class WrongUsageError(CommandError):
    """The command line, the environment or the profile has to change."""

    exit_code = WRONG_USAGE


class UnreachableError(CommandError):
    """Neither the gateway nor AWS answered."""

    exit_code = UNREACHABLE
