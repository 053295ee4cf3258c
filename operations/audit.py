"""gatehouse audit: who changed what."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import click

from operations import complete, values
from operations.commands import Command, Session, with_session
from operations.options import since_option, until_option

if TYPE_CHECKING:
    from operations.output import Shown

# What every change changes.
_ALWAYS = frozenset({"updated_at", "version"})
# What is told of something new: what it may do.
_OF_NEW = ("roles", "limits", "model_limits", "models", "networks", "clients", "expires_at")


@click.command(
    "audit",
    cls=Command,
    examples="""
    gatehouse audit
    gatehouse audit --key search-prod --since 30d
    gatehouse audit --actor bootstrap:admin --limit 1000 --json""",
)
@click.option("--project", shell_complete=complete.projects, help="Only changes of this project.")
@click.option("--key", shell_complete=complete.keys, help="Only changes of this key.")
@click.option("--role", shell_complete=complete.roles, help="Only changes of this role.")
@click.option("--actor", metavar="ID", help="Only changes by this caller.")
@since_option
@until_option
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True, help="How many at most.")
@with_session
def audit(
    session: Session,
    project: str | None,
    key: str | None,
    role: str | None,
    actor: str | None,
    since: str | None,
    until: str | None,
    limit: int,
) -> None:
    """Show the changes to projects, keys and roles, the newest first."""
    from operations import find
    from operations.errors import WrongUsageError

    named = {"project": project, "key": key, "role": role}
    kinds = [kind for kind, name in named.items() if name]
    if len(kinds) > 1:
        raise WrongUsageError("give one of --project, --key and --role")
    query: dict[str, str | None] = {"actor": actor, "since": since, "until": until}
    if project:
        query["object_id"] = find.project_id(session.gateway, project)
    elif key:
        query["object_id"] = find.key_id(session.gateway, key)
    elif role:
        query["object_id"] = role
    query["object_type"] = kinds[0] if kinds else None
    found = list(session.gateway.pages("/audit", query, at_most=limit))
    session.show(found, lambda: _table(found))


def _table(found: Iterable[Mapping[str, Any]]) -> Shown:
    from operations.output import table

    rows = [
        (
            values.shown_time(entry["at"]),
            entry.get("actor_name") or entry["actor"],
            f"{entry['action']} {entry['object_type']}",
            _object(entry),
            "\n".join(_differences(entry.get("before"), entry.get("after"))),
        )
        for entry in found
    ]
    return table("!At", "By", "Action", "Object", "Changed", rows=rows)


def _object(entry: Mapping[str, Any]) -> str:
    state = entry.get("after") or entry.get("before") or {}
    return str(state.get("name") or entry["object_id"])


def _differences(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> list[str]:
    """What a change has changed, field by field; of something new, what it may do."""
    if after is None:
        return []
    if before is None:
        return [f"{name}: {_short(after[name])}" for name in _OF_NEW if after.get(name)]
    lines = []
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name), after.get(name)
        if old == new or name in _ALWAYS:
            continue
        if isinstance(old, dict) and isinstance(new, dict):
            lines += _differences(old, new)
        else:
            lines.append(f"{name}: {_short(old)} → {_short(new)}")
    return lines


def _short(value: Any) -> str:
    if value is None:
        return "none"
    if isinstance(value, list):
        return ", ".join(map(_short, value)) or "none"
    if isinstance(value, dict):
        return str(value.get("prefix") or ", ".join(f"{name} {_short(each)}" for name, each in value.items()))
    return f"{value:,}" if isinstance(value, int | float) and not isinstance(value, bool) else str(value)
