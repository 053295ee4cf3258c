"""The CDK app: one environment's configuration in, that environment's stacks out.

`cdk synth -c environment=prod`; without a context it is dev. With `-c standby=active` a cold standby
has all that it needs to take over: until its environment's file says warm, each later deployment needs that.
"""

import sys
from collections.abc import Mapping
from typing import Any

import aws_cdk as cdk
from cdk_nag import AwsSolutionsChecks, NIST80053R5Checks

from gatehouse.findings import acknowledge_role_policies
from stacks.config.load import ConfigError, load_configuration
from stacks.config.model import Environment
from stacks.platform import Platform

DEFAULT_ENVIRONMENT = "dev"
# Stack traces hold paths of the machine, so that no two would write the same bytes. `cdk --debug` turns
# them on again.
NO_STACK_TRACES = {"aws:cdk:disable-creation-stack-traces": True}
# How aws-cdk-lib begins what it says when the report holds something that forbids a deployment.
_INVALID = "ValidationFailed"


class ContextError(ValueError):
    """A value after -c is not one that means something here."""


class FindingsError(Exception):
    """The rule packs or the template validation found what forbids a deployment; the CDK has printed what."""


def build(*, context: Mapping[str, Any] | None = None, outdir: str | None = None) -> cdk.App:
    """The app with the stacks of the environment that the context names, and the rule packs that judge them.

    `context` and `outdir` default to what the CDK CLI hands over. Raises ConfigError, ContextError.
    """
    app = cdk.App(
        context={**NO_STACK_TRACES, **(context or {})},
        outdir=outdir,
        analytics_reporting=False,
        stack_traces=False,
        # tree.json, which only viewers of constructs read.
        tree_metadata=False,
    )
    environment = app.node.try_get_context("environment") or DEFAULT_ENVIRONMENT
    config, catalog = load_configuration(environment)
    active = _is_active(app.node.try_get_context("standby"), config)
    Platform(app, config=config, catalog=catalog, standby_active=active)
    acknowledge_role_policies(app)
    cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app), NIST80053R5Checks(app))
    return app


def _is_active(standby: str | None, config: Environment) -> bool:
    if standby not in (None, "active"):
        raise ContextError(
            f"standby is {standby}; allowed: active; fix: write -c standby=active, or leave it out"
        )
    if standby is not None and config.standby.mode == "none":
        raise ContextError(f"standby is {standby}, but config/{config.name}.yaml has none; fix: leave it out")
    return standby is not None


def write(app: cdk.App) -> None:
    """Write the cloud assembly and judge it; raises FindingsError."""
    try:
        app.synth()
    except RuntimeError as error:
        if not str(error).startswith(_INVALID):
            raise
        raise FindingsError(str(error)) from None


def main() -> None:
    """Synthesize; exit with 1 if the stacks may not be deployed, with 2 if what was configured is wrong.

    Either time standard error says what is wrong.
    """
    try:
        write(build())
    except (ConfigError, ContextError) as error:
        print(error, file=sys.stderr)
        raise SystemExit(2) from None
    except FindingsError as error:
        print(error, file=sys.stderr)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
