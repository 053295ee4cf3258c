"""gatehouse roles: what callers with a role may use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from operations import complete, values
from operations.changes import cleared, put_role
from operations.commands import Group, Session, confirm, with_session
from operations.options import all_models_option, description_option, limit_option, model_option, yes_option

if TYPE_CHECKING:
    from operations.output import Shown


@click.group("roles", cls=Group)
def roles() -> None:
    """Roles: what keys and people (by their groups) may use."""


@roles.command("list", examples="gatehouse roles list")
@with_session
def list_roles(session: Session) -> None:
    """List roles."""
    found = list(session.gateway.pages("/roles"))
    session.show(found, lambda: _table(found))


@roles.command("show", examples="gatehouse roles show analysts")
@click.argument("name", shell_complete=complete.roles)
@with_session
def show(session: Session, name: str) -> None:
    """Show a role."""
    from operations.find import role_path

    found = session.gateway.get(role_path(name))
    session.show(found, lambda: shown_role(found))


@roles.command(
    "set",
    examples="""
    gatehouse roles set analysts --limit usd_per_day=10 --model claude-sonnet --model nova-lite
    gatehouse roles set analysts --all-models""",
)
@click.argument("name", shell_complete=complete.roles)
@description_option
@limit_option
@model_option
@all_models_option
@with_session
def set_role(
    session: Session,
    name: str,
    description: str | None,
    limits: tuple[tuple[str, float], ...],
    models: tuple[str, ...],
    all_models: bool,
) -> None:
    """Create a role or change it; what is not named stays. `gatehouse limits` sets limits by model, too."""
    from operations.find import role_path

    given: dict[str, Any] = {"models": list(models)} if models else {}
    given |= cleared(given, models=all_models)
    if description is not None:
        given["description"] = description

    def edit(role: dict[str, Any]) -> None:
        role.update(given)
        role["limits"] = (role.get("limits") or {}) | dict(limits)

    changed = put_role(session.gateway, role_path(name), edit, create=True)
    session.show(changed, lambda: shown_role(changed))


@roles.command("delete", examples="gatehouse roles delete analysts")
@click.argument("name", shell_complete=complete.roles)
@yes_option
@with_session
def delete(session: Session, name: str, yes: bool) -> None:
    """Delete a role: who had only this one has the role 'default' from then on."""
    from operations.find import role_path

    path = role_path(name)
    session.gateway.get(path)
    confirm(f"Delete the role {name!r}? Who has no other gets the limits of 'default'", yes=yes)
    gone = session.gateway.change("DELETE", path).body or {"name": name, "deleted": True}
    session.show(gone, lambda: _gone(name))


def _gone(name: str) -> Shown:
    from operations.output import fields

    return fields([("Deleted", name)])


def _table(found: list[Any]) -> Shown:
    from operations.output import table

    rows = [
        (
            role["name"],
            values.all_limits(role) or None,
            values.shown_list(role["models"]),
            role["description"],
        )
        for role in found
    ]
    return table("Name", "Limits", "Models", "?Description", rows=rows)


def shown_role(role: Mapping[str, Any]) -> Shown:
    """A role, a line for each field."""
    from operations.output import fields

    return fields(
        [
            ("Name", role["name"]),
            ("Description", role.get("description")),
            ("Limits", values.all_limits(role) or "none"),
            ("Models", values.shown_list(role.get("models"))),
            ("Changed", values.shown_time(role.get("updated_at"))),
        ]
    )
