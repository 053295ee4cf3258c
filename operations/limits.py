"""gatehouse limits: what projects, keys and roles may use, and what stands used."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

import click

from operations import complete, values
from operations.commands import Group, Session, with_session
from operations.errors import WrongUsageError

if TYPE_CHECKING:
    from operations.output import Shown

_Command = Callable[..., Any]


@click.group("limits", cls=Group)
def limits() -> None:
    """Limits of projects, keys and roles: show with use, set, unset."""


def _whose(function: _Command) -> _Command:
    """Options that say whose limits are changed."""
    for option in (
        click.option(
            "--model",
            shell_complete=complete.models,
            help="Of a role: the limit on this model alone; '*' for every model without one of its own.",
        ),
        click.option("--role", shell_complete=complete.roles, help="A role."),
        click.option("--key", shell_complete=complete.keys, help="A key by its ID or name."),
        click.option("--project", shell_complete=complete.projects, help="A project by its ID or name."),
    ):
        function = option(function)
    return function


@limits.command(
    "show",
    examples="""
    gatehouse limits show --project search
    gatehouse limits show --key search-prod --model claude-sonnet
    gatehouse limits show --caller bootstrap:admin
    gatehouse limits show --role analysts""",
)
@_whose
@click.option(
    "--caller", metavar="ID", help="A caller by its ID, as `gatehouse usage --group-by caller --json` has it."
)
@click.option(
    "--caller-role", "caller_roles", multiple=True, help="With --caller: a role that its token names."
)
@with_session
def show(
    session: Session,
    project: str | None,
    key: str | None,
    role: str | None,
    caller: str | None,
    caller_roles: tuple[str, ...],
    model: str | None,
) -> None:
    """Show the limits that hold for a project, a key or a caller, with what is used of them now.

    A role's own limits are shown without use: each caller that has it has its own allowance.
    """
    from operations import find

    _one_of(project=project, key=key, role=role, caller=caller)
    if caller_roles and not caller:
        raise WrongUsageError("--caller-role is for --caller: a key's roles are known")
    if model and (role or project):
        raise WrongUsageError("--model is for --key and --caller here: a role is shown with all its models")
    if role:
        from operations.roles import shown_role

        found = session.gateway.get(find.role_path(role))
        session.show(found, lambda: shown_role(found))
        return
    answer = session.gateway.get(
        "/limits",
        {
            "project_id": find.project_id(session.gateway, project) if project else None,
            "key_id": find.key_id(session.gateway, key) if key else None,
            "caller_id": caller,
            "roles": ",".join(caller_roles) or None,
            "model": model,
        },
    )
    session.show(answer["data"], lambda: _standing(answer["data"]))


@limits.command(
    "set",
    examples="""
    gatehouse limits set --project search tokens_per_day=10M usd_per_month=200
    gatehouse limits set --key search-prod requests_per_minute=600
    gatehouse limits set --role analysts --model claude-opus usd_per_day=5""",
)
@_whose
@click.argument("amounts", nargs=-1, required=True, type=values.LIMIT, metavar="NAME=AMOUNT...")
@with_session
def set_limits(session: Session, amounts: tuple[tuple[str, float], ...], **whose: str | None) -> None:
    """Set limits; those not named stay as they are.

    Names are requests_per_minute, _hour, _day; tokens_per_minute, _hour, _day, _week, _month; usd_per_day,
    _week, _month and usd_total. Days, weeks (from Monday) and months are of UTC.
    """
    _change(session, dict(amounts), **whose)


@limits.command(
    "unset",
    examples="""
    gatehouse limits unset --project search tokens_per_day
    gatehouse limits unset --role analysts --model claude-opus usd_per_day""",
)
@_whose
@click.argument("names", nargs=-1, required=True, type=click.Choice(values.LIMIT_NAMES), metavar="NAME...")
@with_session
def unset(session: Session, names: tuple[str, ...], **whose: str | None) -> None:
    """Take limits away; those not named stay as they are."""
    _change(session, dict.fromkeys(names), **whose)


def _change(
    session: Session,
    amounts: Mapping[str, float | None],
    *,
    project: str | None,
    key: str | None,
    role: str | None,
    model: str | None,
) -> None:
    """None takes a limit away."""
    from operations import find
    from operations.changes import put_role

    _one_of(project=project, key=key, role=role)
    if model is not None and role is None:
        raise WrongUsageError("--model is for roles: limits on one model are a role's")
    gateway = session.gateway
    if role is not None:
        changed = put_role(gateway, find.role_path(role), lambda body: _edit_role(body, amounts, model))
    else:
        path = find.project_path(gateway, project) if project else find.key_path(gateway, str(key))
        changed = gateway.change("PATCH", path, {"limits": amounts}).body
    session.show(changed, lambda: _configured(changed))


def _edit_role(body: dict[str, Any], amounts: Mapping[str, float | None], model: str | None) -> None:
    if model is None:
        body["limits"] = _merged(body.get("limits"), amounts)
        return
    by_model = dict(body.get("model_limits") or {})
    by_model[model] = _merged(by_model.get(model), amounts)
    # An entry without limits would hide those of '*'; it can be made by the API.
    body["model_limits"] = {name: found for name, found in by_model.items() if found or name != model}


def _merged(before: Mapping[str, Any] | None, amounts: Mapping[str, float | None]) -> dict[str, Any]:
    merged = {**(before or {}), **amounts}
    return {name: amount for name, amount in merged.items() if amount is not None}


def _one_of(**whose: str | None) -> None:
    given = [name for name, value in whose.items() if value]
    if len(given) != 1:
        raise WrongUsageError(f"whose limits? Give one of {', '.join(f'--{name}' for name in whose)}")


def _configured(thing: Mapping[str, Any]) -> Shown:
    from operations.output import fields

    pairs: list[tuple[str, str]] = [("Name", thing["name"])]
    if "id" in thing:
        pairs.append(("ID", thing["id"]))
    pairs.append(("Limits", values.all_limits(thing) or "none"))
    return fields(pairs)


def _standing(found: Iterable[Mapping[str, Any]]) -> Shown:
    from operations.output import bar, table

    rows = []
    for each in found:
        limit, used = each["limit"], each["used"]
        name = each["name"]
        rows.append(
            (
                each["of"],
                each["model"] or "all",
                values.limit_words(name),
                values.shown_amount(name, limit),
                values.shown_amount(name, used),
                "never" if each["reset_seconds"] is None else values.shown_span(each["reset_seconds"]),
                bar(used / limit if limit else 1.0),
            )
        )
    return table("!Of", "Model", "!Limit", ">Amount", ">Used", ">Resets in", "!?", rows=rows)
