"""The functions behind the steps of a recovery plan that have no block of their own."""

from collections.abc import Mapping

import aws_cdk as cdk
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from constructs import Construct

from gatehouse.findings import acknowledge_nist
from gatehouse.python_function import FunctionNetwork, PythonFunction
from gatehouse.recovery.steps import Step

# Region switch calls a function that failed again: each waits for a while, and says what it waits for.
TIME_LIMIT = cdk.Duration.minutes(1)


class StepFunction(PythonFunction):
    """A function of the folder `functions/<handler>` that a plan calls by its name until it succeeds."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        step: Step,
        function_name: str,
        handler: str,
        environment: Mapping[str, str],
        log_key: kms.IKey,
        log_retention: logs.RetentionDays,
        removal_policy: cdk.RemovalPolicy,
        timeout: cdk.Duration = TIME_LIMIT,
        network: FunctionNetwork | None = None,
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            function_name=function_name,
            handler=handler,
            description=f"Step {step.name} of the recovery plan",
            timeout=timeout,
            environment=environment,
            log_key=log_key,
            log_retention=log_retention,
            removal_policy=removal_policy,
            network=network,
            # The plan calls again itself.
            retry_attempts=0,
        )
        reasons = {
            "LambdaConcurrency": "A plan calls it alone; a new account has no concurrency to reserve.",
            "LambdaDLQ": "The plan sees each failure and calls again; what is kept would come too late.",
        }
        if network is None:
            reasons["LambdaInsideVPC"] = "It calls AWS's own APIs and nothing of any network of ours."
        acknowledge_nist(self.function, reasons)
