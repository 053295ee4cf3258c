"""Server-side apply: what an object becomes when one of several managers says what they want of it.

Lists whose elements all have a name are merged by it, as those of containers, variables and volumes; any
other list is one value.
"""

import copy
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

Object = dict[str, Any]
# Keys of objects, and ("name", NAME) for an element of a list.
Path = tuple[str | tuple[str, str], ...]
Owners = dict[str, set[Path]]


class ConflictError(Exception):
    """Another manager owns a field and wants something else of it."""


def merge(
    live: Object, wanted: Object, owners: Owners, manager: str, *, force: bool
) -> tuple[Object, Owners]:
    """The object after the manager's patch, and who owns which fields then; raises ConflictError.

    What the manager wanted before and does not any more is removed, unless another wants it too.
    """
    fields = dict(_leaves(wanted))
    others = {name: set(paths) for name, paths in owners.items() if name != manager}
    for name, paths in others.items():
        taken = {path for path in paths & fields.keys() if _get(live, path) != fields[path]}
        if taken and not force:
            raise ConflictError(f'conflict with "{name}": {", ".join(map(_told, sorted(taken, key=_told)))}')
        paths -= taken
    merged = copy.deepcopy(live)
    for path in owners.get(manager, set()) - fields.keys():
        if not any(path in paths for paths in others.values()):
            _delete(merged, path)
    for path, value in fields.items():
        # A map that is wanted without keys takes nobody's away.
        if value != {} or not isinstance(_get(merged, path), dict):
            _set(merged, path, copy.deepcopy(value))
    return merged, others | {manager: set(fields)}


def _leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    if isinstance(value, Mapping) and value:
        for key, child in value.items():
            yield from _leaves(child, (*path, key))
    elif _is_keyed(value):
        for element in value:
            yield from _leaves(element, (*path, ("name", element["name"])))
    else:
        yield path, value


def _is_keyed(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(e, dict) and "name" in e for e in value)


def _step(parent: Any, key: str | tuple[str, str]) -> Any:
    if isinstance(key, str):
        return parent.get(key) if isinstance(parent, dict) else None
    elements = parent if isinstance(parent, list) else []
    return next((e for e in elements if isinstance(e, dict) and e.get("name") == key[1]), None)


def _get(value: Any, path: Path) -> Any:
    for key in path:
        value = _step(value, key)
    return value


def _set(value: Any, path: Path, leaf: Any) -> None:
    for key, following in pairwise(path):
        child = _step(value, key)
        if isinstance(key, tuple):
            if child is None:
                child = {"name": key[1]}
                value.append(child)
        elif not isinstance(child, list if isinstance(following, tuple) else dict):
            child = value[key] = [] if isinstance(following, tuple) else {}
        value = child
    value[path[-1]] = leaf


def _delete(value: Any, path: Path) -> None:
    """Remove a field, and what held nothing but it; an element of a list goes with its name."""
    holder = _get(value, path[:-1])
    if holder is None:
        return
    if isinstance(holder, list):
        holder.remove(_step(holder, path[-1]))
    else:
        holder.pop(path[-1], None)
    is_nameless = isinstance(path[-2], tuple) if len(path) > 1 else False
    if is_nameless and path[-1] == "name":
        holder["name"] = path[-2][1]
        _delete(value, path[:-1])
    elif len(path) > 1 and not holder:
        _delete(value, path[:-1])


def _told(path: Path) -> str:
    return "".join(f".{key}" if isinstance(key, str) else f'[name="{key[1]}"]' for key in path)
