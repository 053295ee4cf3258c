"""Finds projects and keys by what people call them."""

import re
from typing import Any

from operations.client import Gateway, part
from operations.errors import WrongUsageError

_PROJECT_ID = re.compile(r"proj_[0-9a-f]{16}")
_KEY_ID = re.compile(r"key_[0-9a-f]{16}")


def project(gateway: Gateway, named: str) -> Any:
    """The project with this ID or name; raises WrongUsageError if none has the name."""
    if _PROJECT_ID.fullmatch(named):
        return gateway.get(f"/projects/{named}")
    for found in gateway.pages("/projects", {"name": named}, at_most=1):
        return found
    raise WrongUsageError(f"there is no project {named!r}; `gatehouse projects list` shows them")


def project_id(gateway: Gateway, named: str) -> str:
    """The ID of a project by its ID or name; raises as project."""
    return named if _PROJECT_ID.fullmatch(named) else str(project(gateway, named)["id"])


def project_names(gateway: Gateway) -> dict[str, str]:
    """The names of all projects by their IDs, archived ones too."""
    return {found["id"]: found["name"] for found in gateway.pages("/projects", {"state": "all"})}


def key(gateway: Gateway, named: str) -> Any:
    """The key with this ID, or the one that works and has this name; raises WrongUsageError."""
    if _KEY_ID.fullmatch(named):
        return gateway.get(f"/keys/{named}")
    same = list(gateway.pages("/keys", {"state": "active", "name": named}))
    if len(same) > 1:
        ids = ", ".join(found["id"] for found in same)
        raise WrongUsageError(f"{len(same)} keys have the name {named!r}; give the ID of one: {ids}")
    if not same:
        raise WrongUsageError(f"no key that works has the name {named!r}; `gatehouse keys list` shows them")
    return same[0]


def key_id(gateway: Gateway, named: str) -> str:
    """The ID of a key by its ID or name; raises as key."""
    return named if _KEY_ID.fullmatch(named) else str(key(gateway, named)["id"])


def key_path(gateway: Gateway, named: str) -> str:
    """Where the API has a key; raises as key."""
    return f"/keys/{key_id(gateway, named)}"


def project_path(gateway: Gateway, named: str) -> str:
    """Where the API has a project; raises as project."""
    return f"/projects/{project_id(gateway, named)}"


def role_path(name: str) -> str:
    """Where the API has a role."""
    return f"/roles/{part(name)}"
