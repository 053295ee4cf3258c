"""gatehouse keys: API keys and their secrets."""

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
    limit_option,
    model_option,
    network_option,
    quiet_option,
    yes_option,
)

if TYPE_CHECKING:
    from operations.output import Shown

PRIORITIES = ("high", "normal", "low")
STATES = ("active", "expired", "revoked", "project_archived")


class _ExpiryType(values.MomentType):
    """A moment to come, or 'never'."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        return "never" if value == "never" else super().convert(value, param, ctx)


_key_argument = click.argument("key", shell_complete=complete.keys)
_expires_option = click.option(
    "--expires", type=_ExpiryType(future=True), metavar="WHEN", help="90d, 2027-01-01 or never."
)
_role_option = click.option(
    "--role", "roles", multiple=True, shell_complete=complete.roles, help="A role; may be repeated."
)
_priority_option = click.option(
    "--priority", type=click.Choice(PRIORITIES), help="Who is served first when the gateway is overloaded."
)


@click.group("keys", cls=Group)
def keys() -> None:
    """API keys: create, list, rotate, revoke."""


@keys.command(
    "create",
    examples="""
    gatehouse keys create search-prod --project search
    gatehouse keys create ci --project search --expires 90d --limit usd_per_day=5
    gatehouse keys create search-prod --project search --quiet |
      aws secretsmanager create-secret --name search/key --secret-string file:///dev/stdin""",
)
@click.argument("name")
@click.option("--project", required=True, shell_complete=complete.projects, help="The project it belongs to.")
@_role_option
@limit_option
@model_option
@network_option
@_priority_option
@_expires_option
@quiet_option
@with_session
def create(
    session: Session,
    name: str,
    project: str,
    roles: tuple[str, ...],
    limits: tuple[tuple[str, float], ...],
    models: tuple[str, ...],
    networks: tuple[str, ...],
    priority: str | None,
    expires: str | None,
    quiet: bool,
) -> None:
    """Create a key of the name NAME. It is shown once."""
    from operations import find

    body = {"project_id": find.project_id(session.gateway, project), "name": name} | given(
        roles=roles, limits=dict(limits), models=models, networks=networks, priority=priority
    )
    if expires not in (None, "never"):
        body["expires_at"] = expires
    answer = session.gateway.change("POST", "/keys", body)
    made = answer.body
    if answer.replayed and not made.get("key"):
        # It was made, but the answer that held it was lost. Nobody knows its secret: a new one harms nobody.
        session.say("The answer with the key was lost on the way; the key gets a new secret.")
        made = session.gateway.change("POST", f"/keys/{made['id']}/rotate", {"overlap_seconds": 0}).body
    _show_secret(session, made, quiet=quiet)


@keys.command(
    "list",
    examples="""
    gatehouse keys list
    gatehouse keys list --project search --state all
    gatehouse keys list --json | jq -r '.[].id'""",
)
@click.option("--project", shell_complete=complete.projects, help="Only the keys of this project.")
@click.option("--state", type=click.Choice([*STATES, "all"]), default="active", show_default=True)
@with_session
def list_keys(session: Session, project: str | None, state: str) -> None:
    """List keys."""
    from operations import find

    query = {
        "project_id": find.project_id(session.gateway, project) if project else None,
        "state": None if state == "all" else state,
    }
    found = list(session.gateway.pages("/keys", query))
    session.show(found, lambda: _table(found, find.project_names(session.gateway)))


@keys.command(
    "show",
    examples="""
    gatehouse keys show search-prod
    gatehouse keys show key_0123456789abcdef --json""",
)
@_key_argument
@with_session
def show(session: Session, key: str) -> None:
    """Show a key by its ID or name; never its secret."""
    from operations import find

    found = find.key(session.gateway, key)
    session.show(found, lambda: _one(found, find.project_names(session.gateway)))


@keys.command(
    "update",
    examples="""
    gatehouse keys update search-prod --expires 180d --priority high
    gatehouse keys update search-prod --model claude-sonnet --model nova-lite
    gatehouse keys update search-prod --all-models --all-networks""",
)
@_key_argument
@click.option("--name", help="A new name.")
@_role_option
@click.option("--no-roles", is_flag=True, help="Take all roles away.")
@model_option
@all_models_option
@network_option
@all_networks_option
@_priority_option
@_expires_option
@with_session
def update(
    session: Session,
    key: str,
    name: str | None,
    roles: tuple[str, ...],
    no_roles: bool,
    models: tuple[str, ...],
    all_models: bool,
    networks: tuple[str, ...],
    all_networks: bool,
    priority: str | None,
    expires: str | None,
) -> None:
    """Change a key; what is not named stays. Limits are changed by `gatehouse limits`."""
    from operations import find

    patch = given(name=name, roles=roles, models=models, networks=networks, priority=priority)
    patch |= cleared(patch, models=all_models, networks=all_networks)
    if no_roles:
        patch["roles"] = []
    if expires is not None:
        patch["expires_at"] = None if expires == "never" else expires
    something(patch)
    changed = session.gateway.change("PATCH", find.key_path(session.gateway, key), patch).body
    session.show(changed, lambda: _one(changed, find.project_names(session.gateway)))


@keys.command(
    "rotate",
    examples="""
    gatehouse keys rotate search-prod
    gatehouse keys rotate search-prod --overlap 7d
    gatehouse keys rotate search-prod --overlap 0 --quiet > key.txt""",
)
@_key_argument
@click.option(
    "--overlap",
    type=values.SPAN,
    default="24h",
    show_default=True,
    metavar="SPAN",
    help="How long the old secret goes on working; 0 ends it at once.",
)
@quiet_option
@with_session
def rotate(session: Session, key: str, overlap: int, quiet: bool) -> None:
    """Give a key a new secret. It is shown once."""
    from operations import find
    from operations.errors import RefusedError

    path = find.key_path(session.gateway, key)
    answer = session.gateway.change("POST", f"{path}/rotate", {"overlap_seconds": overlap})
    if answer.replayed and not answer.body.get("key"):
        raise RefusedError(
            "the key has a new secret, but the answer that held it was lost on the way. "
            "Rotate the key once more; the secret before the lost one ends then"
        )
    _show_secret(session, answer.body, quiet=quiet)
    if not quiet and not session.as_json:
        ends = f"works for {values.shown_span(overlap)} more" if overlap else "does not work any more"
        session.say(f"The old secret {ends}.")


@keys.command(
    "revoke",
    examples="""
    gatehouse keys revoke search-prod
    gatehouse keys revoke key_0123456789abcdef --yes""",
)
@_key_argument
@yes_option
@with_session
def revoke(session: Session, key: str, yes: bool) -> None:
    """End a key for good, within seconds. This cannot be undone."""
    from operations import find

    found = find.key(session.gateway, key)
    confirm(f"Revoke {found['name']!r} ({found['id']})? Whoever uses it is refused from then on", yes=yes)
    revoked = session.gateway.change("POST", f"/keys/{found['id']}/revoke").body
    session.show(revoked, lambda: _one(revoked, find.project_names(session.gateway)))


def _show_secret(session: Session, made: Mapping[str, Any], *, quiet: bool) -> None:
    from operations.output import fields, print_json, print_shown

    if session.as_json and not quiet:
        print_json(made)
    elif quiet:
        print(made["key"])
    else:
        print_shown(fields([("Key", made["key"]), ("ID", made["id"]), ("Name", made["name"])]))
        session.say("Store it now: it is not shown again.")


def _table(found: list[Any], projects: Mapping[str, str]) -> Shown:
    from operations.output import state, table

    rows = [
        (
            key["name"],
            key["id"],
            projects.get(key["project_id"], key["project_id"]),
            state(key["state"]),
            values.shown_time(key["expires_at"])[: len("2027-01-01")],
            ", ".join(secret["prefix"] + "…" for secret in key["secrets"]),
        )
        for key in found
    ]
    return table("Name", "!ID", "Project", "!State", "!Expires", "!?Begins", rows=rows)


def _one(key: Mapping[str, Any], projects: Mapping[str, str]) -> Shown:
    from operations.output import fields, state

    secrets = [
        f"{secret['prefix']}…"
        + (f" until {values.shown_time(secret['expires_at'])}" if secret.get("expires_at") else "")
        for secret in key.get("secrets") or []
    ]
    return fields(
        [
            ("Name", key["name"]),
            ("ID", key["id"]),
            ("Project", projects.get(key["project_id"], key["project_id"])),
            ("State", state(key["state"])),
            ("Begins", "\n".join(secrets)),
            ("Roles", values.shown_list(key.get("roles"), none="")),
            ("Limits", values.shown_limits(key.get("limits")) or "none of its own"),
            ("Models", values.shown_list(key.get("models"))),
            ("Networks", values.shown_list(key.get("networks"))),
            ("Priority", key.get("priority")),
            ("Expires", values.shown_time(key.get("expires_at")) if key.get("expires_at") else "never"),
            ("Revoked", values.shown_time(key["revoked_at"]) if key.get("revoked_at") else None),
            ("Created", f"{values.shown_time(key.get('created_at'))} by {key.get('created_by')}"),
        ]
    )
