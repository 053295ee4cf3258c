"""Fetches the admin's key. No message holds it, nor what a key command printed."""

import json
import subprocess
import sys
from pathlib import Path

import click

from operations.errors import WrongUsageError
from operations.profile import KEY_VARIABLE, Connection

# The aws CLI may have to wait for a person who confirms a sign-in.
_KEY_COMMAND_SECONDS = 120.0


def key_of(
    connection: Connection,
    *,
    ask: bool = True,
    quiet: bool = False,
    command_seconds: float = _KEY_COMMAND_SECONDS,
) -> str:
    """The key from the first source there is: file, environment, key command, or (ask) a prompt.

    quiet: the key command can neither ask nor say anything. Raises WrongUsageError.
    """
    if connection.key_file is not None:
        return _checked(_from_file(connection.key_file), f"the file {connection.key_file}")
    if connection.key_from_environment is not None:
        return _checked(connection.key_from_environment, KEY_VARIABLE)
    if connection.key_command is not None:
        printed = _from_command(connection.key_command, command_seconds, quiet=quiet)
        return _checked(_picked(printed, connection.key_name), "what the key command printed")
    if ask and sys.stdin.isatty():
        return _checked(click.prompt("Admin key", hide_input=True, err=True), "the key")
    raise WrongUsageError(
        f"there is no key: give --key-file, {KEY_VARIABLE}, or a profile with a key_command"
    )


def _from_file(path: Path) -> str:
    try:
        return sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8")
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not text"
        raise WrongUsageError(f"the key file {path} cannot be read: {reason}") from None


def _from_command(command: tuple[str, ...], seconds: float, *, quiet: bool) -> str:
    # Its stdin and stderr are the terminal's: it may ask for a second factor.
    silent = subprocess.DEVNULL if quiet else None
    try:
        finished = subprocess.run(  # noqa: S603 (the user's own command, without a shell)
            command, stdin=silent, stdout=subprocess.PIPE, stderr=silent, check=False, timeout=seconds
        )
    except OSError as error:
        raise WrongUsageError(f"the key command {command[0]!r} does not start: {error.strerror}") from None
    except subprocess.TimeoutExpired:
        raise WrongUsageError(f"the key command {command[0]!r} took more than {seconds:.0f} s") from None
    if finished.returncode:
        raise WrongUsageError(f"the key command {command[0]!r} ended with exit code {finished.returncode}")
    return finished.stdout.decode(errors="replace")


def _picked(printed: str, name: str | None) -> str:
    """The key from the secret of bootstrap keys, {"name": "key"} or {"name": {"key": "key"}}, or as it is."""
    try:
        entries = json.loads(printed)
    except ValueError:
        return printed
    if not isinstance(entries, dict):
        return printed
    if name is None and len(entries) != 1:
        raise WrongUsageError("the key command printed several keys: name one by key_name in the profile")
    entry = entries.get(name) if name is not None else next(iter(entries.values()))
    key = entry.get("key") if isinstance(entry, dict) else entry
    if not isinstance(key, str):
        raise WrongUsageError(f"the key command printed no key of the name {name!r}")
    return key


def _checked(text: str, source: str) -> str:
    key = text.strip()
    if not key or not all("!" <= character <= "~" for character in key):
        raise WrongUsageError(f"{source} holds no key: allowed are printable ASCII characters without spaces")
    return key
