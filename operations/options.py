"""Options and arguments that several commands have."""

from collections.abc import Callable
from typing import Any

import click

from operations import complete, values

yes_option = click.option("--yes", "-y", is_flag=True, help="Do not ask for confirmation.")
quiet_option = click.option("--quiet", "-q", is_flag=True, help="Print the key and nothing else.")
limit_option = click.option(
    "--limit",
    "limits",
    multiple=True,
    type=values.LIMIT,
    metavar="NAME=AMOUNT",
    help="A limit such as tokens_per_day=1M or usd_per_month=200; may be repeated.",
)
model_option = click.option(
    "--model",
    "models",
    multiple=True,
    shell_complete=complete.models,
    help="Allow only this model; may be repeated.",
)
all_models_option = click.option("--all-models", is_flag=True, help="Allow every model.")
network_option = click.option(
    "--network", "networks", multiple=True, metavar="CIDR", help="Allow only this network; may be repeated."
)
all_networks_option = click.option("--all-networks", is_flag=True, help="Allow every network.")
description_option = click.option("--description", help="For people.")
since_option = click.option(
    "--since",
    type=values.MomentType(),
    metavar="WHEN",
    help="From then on: 7d, 24h, 2026-11-01, today, month, or an RFC 3339 time. Days are of UTC.",
)
until_option = click.option(
    "--until", type=values.MomentType(), metavar="WHEN", help="Up to then, in the same words."
)


def filters(function: Callable[..., Any]) -> Callable[..., Any]:
    """Options for whose usage is shown, and of what."""
    for option in (
        click.option("--operation", help="Only this operation, such as chat_completions or embeddings."),
        click.option("--region", help="Only requests answered from this region."),
        click.option("--account", help="Only requests answered from this account."),
        click.option("--provider", help="Only requests answered by this provider."),
        click.option("--deployment", help="Only requests answered by this deployment."),
        click.option("--model", shell_complete=complete.models, help="Only requests for this model."),
        click.option("--caller", metavar="ID", help="Only this caller: the ID of a key, user or client."),
        click.option("--project", shell_complete=complete.projects, help="Only this project."),
    ):
        function = option(function)
    return function
