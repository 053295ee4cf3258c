"""What changes of several kinds of things have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from operations.errors import RefusedError, WrongUsageError

if TYPE_CHECKING:
    from operations.client import Gateway

# Someone else may change the same role meanwhile; that happens, but not this often in a row.
_TRIES = 5
_PRECONDITION_FAILED = 412
_NOT_FOUND = 404


def cleared(patch: Mapping[str, Any], **flags: bool) -> dict[str, None]:
    """The fields that --all-... clears; raises WrongUsageError if a list is given for one, too."""
    wanted = [name for name, flag in flags.items() if flag]
    for name in wanted:
        if name in patch:
            raise WrongUsageError(f"--all-{name} and --{name.removesuffix('s')} exclude each other")
    return dict.fromkeys(wanted)


def given(**fields: Any) -> dict[str, Any]:
    """The fields that hold something, as JSON has them."""
    return {
        name: list(value) if isinstance(value, tuple) else value for name, value in fields.items() if value
    }


def something(patch: Mapping[str, Any]) -> None:
    """Raise WrongUsageError if there is nothing to change."""
    if not patch:
        raise WrongUsageError("nothing to change: give at least one option, see --help")


def put_role(
    gateway: Gateway, path: str, edit: Callable[[dict[str, Any]], None], *, create: bool = False
) -> Any:
    """Change a role (or create it): read it, edit its fields, and write it if nobody changed it meanwhile.

    Raises WrongUsageError, RefusedError, UnreachableError, and what `edit` raises.
    """
    tries = 0
    while True:
        tries += 1
        body, etag = _role(gateway, path, create=create)
        edit(body)
        try:
            return gateway.change("PUT", path, body, etag=etag, new=etag is None).body
        except RefusedError as error:
            if error.status != _PRECONDITION_FAILED or tries == _TRIES:
                raise


def _role(gateway: Gateway, path: str, *, create: bool) -> tuple[dict[str, Any], str | None]:
    """What can be set of a role, with its ETag; empty for one that may be created."""
    try:
        answer = gateway.read(path)
    except RefusedError as error:
        if error.status != _NOT_FOUND:
            raise
        if not create:
            raise WrongUsageError("there is no role of this name; `gatehouse roles set` creates it") from None
        return {}, None
    kept = ("description", "limits", "model_limits", "models")
    return {name: answer.body[name] for name in kept if name in answer.body}, answer.etag
