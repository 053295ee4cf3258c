"""Which gateway to talk to and where its key comes from: options, a profile, or the environment."""

import os
import shlex
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from operations.errors import WrongUsageError

ENDPOINT_VARIABLE = "GATEHOUSE_ENDPOINT"
KEY_VARIABLE = "GATEHOUSE_KEY"
PROFILE_VARIABLE = "GATEHOUSE_PROFILE"
DEFAULT_PROFILE = "default"
DEFAULT_TIMEOUT_SECONDS = 30.0
_LONGEST_TIMEOUT_SECONDS = 3600

_FIELDS = {"endpoint": str, "key_command": (str, list), "key_name": str, "ca_file": str}


@dataclass(frozen=True, kw_only=True)
class Profile:
    """A section of the file; the fields are documented in docs/command.md."""

    endpoint: str | None = None
    key_command: tuple[str, ...] | None = None
    key_name: str | None = None
    ca_file: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Connection:
    """What a command needs to reach its gateway.

    key_file: '-' is stdin. key_from_environment: GATEHOUSE_KEY, if it counts. key_command: fetches the key,
    and key_name picks it from the JSON object that the command may print.
    """

    endpoint: str
    timeout_seconds: float
    ca_file: Path | None
    key_file: Path | None
    key_from_environment: str | None
    key_command: tuple[str, ...] | None
    key_name: str | None

    def __repr__(self) -> str:
        # Without the key.
        return f"Connection({self.endpoint!r})"


def config_file(environ: Mapping[str, str]) -> Path:
    """Where the profiles are kept."""
    folder = environ.get("XDG_CONFIG_HOME") or str(Path("~/.config").expanduser())
    return Path(folder) / "gatehouse" / "config.toml"


def connection(options: Mapping[str, Any], environ: Mapping[str, str] = os.environ) -> Connection:
    """Put together what was given; raises WrongUsageError.

    An option comes first. A profile that is named comes before the environment, so that a key in the
    environment is never sent to the gateway of another profile; the default profile comes last.
    """
    name = options.get("profile") or environ.get(PROFILE_VARIABLE)
    profile = load_profile(config_file(environ), name)
    from_environment = environ.get(ENDPOINT_VARIABLE)
    order = [profile.endpoint, from_environment] if name else [from_environment, profile.endpoint]
    endpoint = next(filter(None, [options.get("endpoint"), *order]), None)
    if endpoint is None:
        raise WrongUsageError(
            f"which gateway? Name it with --endpoint https://..., {ENDPOINT_VARIABLE}, or a profile in "
            f"{config_file(environ)}"
        )
    timeout_seconds = options.get("timeout", DEFAULT_TIMEOUT_SECONDS)
    if not 0 < timeout_seconds <= _LONGEST_TIMEOUT_SECONDS:
        raise WrongUsageError(
            f"--timeout is {timeout_seconds:g}; allowed: up to {_LONGEST_TIMEOUT_SECONDS} s"
        )
    key = environ.get(KEY_VARIABLE) or None
    return Connection(
        endpoint=checked_endpoint(endpoint),
        timeout_seconds=timeout_seconds,
        ca_file=options.get("ca_file") or profile.ca_file,
        key_file=options.get("key_file"),
        key_from_environment=None if name and profile.key_command else key,
        key_command=profile.key_command,
        key_name=profile.key_name,
    )


def checked_endpoint(endpoint: str) -> str:
    """An address without the slash, query or OpenAI's /v1 at its end; raises WrongUsageError."""
    try:
        parts = urlsplit(endpoint.strip())
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise WrongUsageError("the endpoint is not an address such as https://api.example.com") from None
    if parts.username is not None or parts.password is not None:
        raise WrongUsageError("the endpoint must not hold a user name or password")
    if parts.scheme not in ("http", "https") or not host or parts.query or parts.fragment:
        raise WrongUsageError(
            f"the endpoint is {endpoint!r}; allowed: an address such as https://api.example.com"
        )
    if parts.scheme == "http" and not is_loopback(host):
        raise WrongUsageError(
            f"the endpoint is {endpoint!r}: over plain http the key could be read on the way. "
            "Use https; http is for 127.0.0.1, ::1 and localhost"
        )
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/').removesuffix('/v1')}"


def is_loopback(host: str) -> bool:
    """Whether a host is this machine."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def load_profile(path: Path, name: str | None) -> Profile:
    """Read a section of the file, or DEFAULT_PROFILE if none is named; raises WrongUsageError."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        document = {}
    except (OSError, UnicodeError, tomllib.TOMLDecodeError) as error:
        raise WrongUsageError(f"{path} cannot be read: {error}") from None
    section = document.get(name or DEFAULT_PROFILE)
    if section is None and name is None:
        return Profile()
    if not isinstance(section, dict):
        known = ", ".join(key for key, value in document.items() if isinstance(value, dict)) or "none"
        raise WrongUsageError(f"there is no profile {name!r} in {path}; known: {known}")
    return _profile(section, f"{path} [{name or DEFAULT_PROFILE}]")


def _profile(section: Mapping[str, object], where: str) -> Profile:
    for field, value in section.items():
        if field not in _FIELDS:
            raise WrongUsageError(f"{where}: {field} is unknown; allowed: {', '.join(_FIELDS)}")
        if not isinstance(value, _FIELDS[field]):  # type: ignore[arg-type]
            kind = "text or a list of texts" if field == "key_command" else "text"
            raise WrongUsageError(f"{where}: {field} has to be {kind}")
    command = section.get("key_command")
    try:
        words = shlex.split(command) if isinstance(command, str) else cast("list[object]", command or [])
    except ValueError as error:
        raise WrongUsageError(f"{where}: key_command cannot be read: {error}") from None
    if not all(isinstance(word, str) for word in words):
        raise WrongUsageError(f"{where}: key_command has to be a list of texts")
    ca_file = cast("str | None", section.get("ca_file"))
    return Profile(
        endpoint=cast("str | None", section.get("endpoint")),
        key_command=tuple(cast("list[str]", words)) or None,
        key_name=cast("str | None", section.get("key_name")),
        ca_file=Path(ca_file).expanduser() if ca_file else None,
    )
