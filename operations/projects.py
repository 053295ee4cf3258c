"""gatehouse projects: groups of keys with a pooled allowance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from operations import complete, values
from operations.changes import cleared, given, something
from operations.commands import Group, Session, confirm, with_session
from operations.options import (
    all_models_option,
    all_networks_option,
    description_option,
    limit_option,
    model_option,
    network_option,
    yes_option,
)

if TYPE_CHECKING:
    from operations.output import Shown

_project_argument = click.argument("project", shell_complete=complete.projects)
_client_option = click.option(
    "--client",
    "clients",
    multiple=True,
    metavar="ISSUER#ID",
    help="A machine that signs in with client credentials and calls for this project; may be repeated.",
)


@click.group("projects", cls=Group)
def projects() -> None:
    """Projects: groups of keys with a pooled allowance."""


@projects.command(
    "create",
    examples="""
    gatehouse projects create search
    gatehouse projects create search --limit usd_per_month=200 --limit tokens_per_day=10M
    gatehouse projects create batch --model nova-lite --network 10.0.0.0/8""",
)
@click.argument("name")
@description_option
@limit_option
@model_option
@network_option
@_client_option
@with_session
def create(session: Session, name: str, limits: tuple[tuple[str, float], ...], **fields: Any) -> None:
    """Create a project of the name NAME."""
    body = {"name": name} | given(limits=dict(limits), **fields)
    made = session.gateway.change("POST", "/projects", body).body
    session.show(made, lambda: _one(made))


@projects.command(
    "list",
    examples="""
    gatehouse projects list
    gatehouse projects list --state archived --json""",
)
@click.option(
    "--state", type=click.Choice(["active", "archived", "all"]), default="active", show_default=True
)
@with_session
def list_projects(session: Session, state: str) -> None:
    """List projects."""
    found = list(session.gateway.pages("/projects", {"state": state}))
    session.show(found, lambda: _table(found))


@projects.command("show", examples="gatehouse projects show search")
@_project_argument
@with_session
def show(session: Session, project: str) -> None:
    """Show a project by its ID or name."""
    from operations import find

    found = find.project(session.gateway, project)
    session.show(found, lambda: _one(found))


@projects.command(
    "update",
    examples="""
    gatehouse projects update search --name search-and-ads
    gatehouse projects update search --model claude-sonnet --network 10.0.0.0/8
    gatehouse projects update search --all-models --all-networks --no-clients""",
)
@_project_argument
@click.option("--name", help="A new name.")
@description_option
@model_option
@all_models_option
@network_option
@all_networks_option
@_client_option
@click.option("--no-clients", is_flag=True, help="Take all clients away.")
@with_session
def update(
    session: Session, project: str, all_models: bool, all_networks: bool, no_clients: bool, **fields: Any
) -> None:
    """Change a project; what is not named stays. Limits are changed by `gatehouse limits`."""
    from operations import find

    patch = given(**fields)
    patch |= cleared(patch, models=all_models, networks=all_networks)
    if no_clients:
        patch["clients"] = []
    if fields["description"] == "":
        patch["description"] = ""
    something(patch)
    changed = session.gateway.change("PATCH", find.project_path(session.gateway, project), patch).body
    session.show(changed, lambda: _one(changed))


@projects.command("archive", examples="gatehouse projects archive search")
@_project_argument
@yes_option
@with_session
def archive(session: Session, project: str, yes: bool) -> None:
    """Archive a project: its keys stop working within seconds; its usage stays. This cannot be undone."""
    from operations import find

    found = find.project(session.gateway, project)
    keys = sum(1 for _ in session.gateway.pages("/keys", {"project_id": found["id"], "state": "active"}))
    which = {0: "It has no keys", 1: "Its key stops working"}.get(keys, f"Its {keys} keys stop working")
    confirm(f"Archive {found['name']!r} ({found['id']})? {which}", yes=yes)
    archived = session.gateway.change("DELETE", f"/projects/{found['id']}").body or found
    session.show(archived, lambda: _one(archived))


def _table(found: list[Any]) -> Shown:
    from operations.output import table

    rows = [
        (
            project["name"],
            project["id"],
            values.shown_limits(project.get("limits")) or None,
            values.shown_list(project.get("models")),
            "archived" if project.get("archived_at") else "active",
        )
        for project in found
    ]
    return table("Name", "!ID", "Limits", "Models", "State", rows=rows)


def _one(project: Mapping[str, Any]) -> Shown:
    from operations.output import fields, state

    archived = project.get("archived_at")
    return fields(
        [
            ("Name", project["name"]),
            ("ID", project["id"]),
            ("Description", project.get("description")),
            ("State", state("archived" if archived else "active")),
            ("Limits", values.shown_limits(project.get("limits")) or "none"),
            ("Models", values.shown_list(project.get("models"))),
            ("Networks", values.shown_list(project.get("networks"))),
            ("Clients", "\n".join(project.get("clients") or [])),
            ("Created", values.shown_time(project.get("created_at"))),
            ("Archived", values.shown_time(archived) if archived else None),
        ]
    )
