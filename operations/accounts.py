"""gatehouse accounts: the AWS accounts that serve models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from operations.commands import Group, Session, with_session
from operations.configuration import configuration, environment_option
from operations.errors import RefusedError, WrongUsageError

if TYPE_CHECKING:
    from operations.accounts_check import Checked
    from operations.output import Shown


class _Account(click.ParamType[str]):
    """An AWS account's ID."""

    name = "account"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Read it."""
        if not (isinstance(value, str) and len(value) == 12 and value.isdecimal() and value.isascii()):
            self.fail(f"{value!r} is no account; allowed: 12 digits, such as 222222222222", param, ctx)
        return value


@click.group("accounts", cls=Group)
def accounts() -> None:
    """The AWS accounts that serve models: their roles, and whether models answer there."""


@accounts.command("list", asks_gateway=False, examples="gatehouse accounts list --environment prod")
@environment_option
@with_session
def list_accounts(session: Session, environment: str) -> None:
    """List the accounts and regions of an environment's deployments and roles."""
    from stacks.config.model_places import called_as, model_places
    from stacks.standby_catalog import regional_catalogs

    config, catalog = configuration(environment)
    found = [
        {
            "account": place.account,
            "region": place.region,
            "role_arn": role_arn,
            "deployments": [deployment.name for deployment in called_as(role_arn, place.deployments)],
            "stack": _stack(environment, place.account, place.region),
        }
        for place in model_places(config, *regional_catalogs(config, catalog))
        for role_arn in sorted({*place.roles, *(d.role_arn for d in place.deployments)}, key=str)
    ]
    session.show(found, lambda: _accounts(found))


@accounts.command(
    "add",
    asks_gateway=False,
    examples="""
    gatehouse accounts add 222222222222 --region us-west-2 --environment prod
    gatehouse accounts add 222222222222 --region us-west-2 --model nova-lite --environment prod --write""",
)
@click.argument("account", type=_Account())
@click.option("--region", "regions", multiple=True, required=True, help="Call models there; may be repeated.")
@click.option("--role", metavar="NAME", help="The role's name there. [gatehouse-ENVIRONMENT-models]")
@click.option(
    "--model", "models", multiple=True, metavar="NAME", help="Only this model; may be repeated. [every one]"
)
@click.option("--write", is_flag=True, help="Write the file; else the change is only shown.")
@environment_option
@with_session
def add(
    session: Session,
    account: str,
    regions: tuple[str, ...],
    role: str | None,
    models: tuple[str, ...],
    write: bool,
    environment: str,
) -> None:
    """Add an account's deployments to config/models/ENVIRONMENT.yaml, modelled on those that are there."""
    from operations.accounts_add import added, write_catalog
    from stacks.config import load

    config, catalog = configuration(environment)
    change = added(
        config,
        catalog,
        load.CONFIG_DIRECTORY,
        account=account,
        regions=tuple(dict.fromkeys(regions)),
        role=role,
        models=models,
    )
    if write and change.deployments:
        write_catalog(change)
    facts = {
        "file": str(change.file),
        "written": write and bool(change.deployments),
        "deployments": list(change.deployments),
        "role_arn": change.role_arn,
        "notes": list(change.notes),
        "next": _next(environment, account, sorted({*regions, config.region}), config.account),
    }
    session.show(facts, lambda: _added(facts, change.diff))


@accounts.command(
    "check",
    asks_gateway=False,
    examples="""
    gatehouse accounts check --environment prod
    gatehouse accounts check 222222222222 --environment prod --json""",
)
@click.argument("account", type=_Account(), required=False)
@click.option(
    "--parallel", type=click.IntRange(1, 32), default=8, show_default=True, help="Deployments at a time."
)
@environment_option
@with_session
def check(session: Session, account: str | None, parallel: int, environment: str) -> None:
    """Call every deployment on Bedrock once, as its role: one token each; a standby region's, too.

    The AWS credentials of this shell must be those of a role in model_access.checked_by.
    """
    from operations.accounts_check import check_deployments
    from stacks.config.model_places import account_of, aws_deployments
    from stacks.standby_catalog import regional_catalogs

    config, catalog = configuration(environment)
    deployments = aws_deployments(*regional_catalogs(config, catalog))
    chosen = [d for d in deployments if account in (None, account_of(d, config))]
    if not chosen:
        raise WrongUsageError(
            f"no deployment of {environment} is in {account or 'AWS'}; see `gatehouse accounts list`"
        )
    checked = check_deployments(config, chosen, parallel)
    facts = [each._asdict() for each in checked]
    session.show(facts, lambda: _checked(checked))
    if failed := [each for each in checked if each.state == "failed"]:
        raise RefusedError(f"{len(failed)} of {len(checked)} deployments do not answer")


def _stack(environment: str, account: str, region: str) -> str:
    from gatehouse import names

    return f"{names.stage(environment)}/{names.model_access_stack(account, region)}"


def _next(environment: str, account: str, regions: Sequence[str], gateway_account: str) -> list[str]:
    places = " ".join(f"aws://{account}/{region}" for region in regions)
    stacks = " ".join(_stack(environment, account, region) for region in regions)
    deploy = f"npx --no-install cdk deploy -c environment={environment} --exclusively"
    own = _stack(environment, account, regions[0]).partition("/")[0]
    return [
        f"npx --no-install cdk bootstrap {places}  # once, with credentials of {account}",
        f"{deploy} {stacks}  # with credentials of {account}",
        f"gatehouse accounts check {account} --environment {environment}",
        f"{deploy} {own}/Service  # with credentials of {gateway_account}",
    ]


def _accounts(found: Sequence[Mapping[str, Any]]) -> Shown:
    from operations.output import table

    rows = [
        (
            each["account"],
            each["region"],
            (each["role_arn"] or "the gateway's own").rpartition("/")[2],
            "\n".join(each["deployments"]) or "none: here is the role itself",
            each["stack"],
        )
        for each in found
    ]
    return table("!Account", "!Region", "Role", "Deployments", "?Stack", rows=rows)


def _added(facts: Mapping[str, Any], diff: str) -> Shown:
    from rich.text import Text

    from operations.output import note, together
    from operations.text import clean

    done = "written" if facts["written"] else "not written: run it again with --write"
    nothing = f"{facts['file']} has all of these deployments already"
    return together(
        Text(clean(diff).rstrip("\n")) if diff else None,
        note(f"{facts['file']} is {done}" if diff else nothing),
        *(note(each) for each in facts["notes"]),
        note("Next:\n" + "\n".join(f"  {command}" for command in facts["next"])),
    )


def _checked(checked: Sequence[Checked]) -> Shown:
    from operations.output import state, table

    rows = [
        (each.account, each.region, each.deployment, state(each.state), each.step, each.problem, each.fix)
        for each in checked
    ]
    return table("!Account", "!Region", "Deployment", "!State", "!Step", "Problem", "To do", rows=rows)
