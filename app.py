"""The CDK app: one environment's configuration in, that environment's stacks out.

`cdk synth -c environment=prod`; without a context it is dev.
"""

import sys
from collections.abc import Mapping
from typing import Any

import aws_cdk as cdk
from cdk_nag import AwsSolutionsChecks, NIST80053R5Checks

from gatehouse.findings import acknowledge_role_policies
from stacks.config.load import ConfigError, load_configuration
from stacks.platform import Platform

DEFAULT_ENVIRONMENT = "dev"
# Stack traces hold paths of the machine, so that no two would write the same bytes. `cdk --debug` turns
# them on again.
NO_STACK_TRACES = {"aws:cdk:disable-creation-stack-traces": True}


def build(*, context: Mapping[str, Any] | None = None, outdir: str | None = None) -> cdk.App:
    """The app with the stacks of the environment that the context names, and the rule packs that judge them.

    `context` and `outdir` default to what the CDK CLI hands over. Raises ConfigError.
    """
    app = cdk.App(
        context={**NO_STACK_TRACES, **(context or {})},
        outdir=outdir,
        analytics_reporting=False,
        stack_traces=False,
    )
    environment = app.node.try_get_context("environment") or DEFAULT_ENVIRONMENT
    config, catalog = load_configuration(environment)
    Platform(app, config=config, catalog=catalog)
    acknowledge_role_policies(app)
    cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app), NIST80053R5Checks(app))
    return app


def main() -> None:
    """Synthesize; exit with 2 and the list of problems if the configuration is wrong."""
    try:
        app = build()
    except ConfigError as error:
        print(error, file=sys.stderr)
        raise SystemExit(2) from None
    app.synth()


if __name__ == "__main__":
    main()
