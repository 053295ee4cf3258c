"""The files of config/, for commands that work on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from operations.errors import WrongUsageError

if TYPE_CHECKING:
    from gateway.catalog import Catalog
    from stacks.config.model import Environment

environment_option = click.option(
    "--environment", default="dev", show_default=True, help="One that config/ has a file for."
)


def configuration(environment: str) -> tuple[Environment, Catalog]:
    """An environment's configuration and catalog; raises WrongUsageError with everything that is wrong."""
    from stacks.config import load

    try:
        return load.load_configuration(environment, load.CONFIG_DIRECTORY)
    except load.ConfigError as error:
        raise WrongUsageError(str(error)) from None
