"""Functions that CloudFormation calls for the sake of custom resources."""

from collections.abc import Mapping

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from constructs import Construct

from gatehouse.findings import acknowledge_nist
from gatehouse.python_function import FunctionNetwork, PythonFunction

# One in a VPC that nobody has called for two weeks gets its network interfaces back first.
_AWAKENING = cdk.Duration.minutes(5)


class CustomResourceFunction(PythonFunction):
    """The function of the folder `functions/<handler>`, which answers CloudFormation itself.

    It answers within `timeout` of its start: CloudFormation waits not much longer for its resources.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        handler: str,
        description: str,
        timeout: cdk.Duration,
        log_key: kms.IKey | None,
        log_retention: logs.RetentionDays,
        removal_policy: cdk.RemovalPolicy,
        network: FunctionNetwork | None = None,
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            handler=handler,
            description=description,
            timeout=timeout,
            log_key=log_key,
            log_retention=log_retention,
            removal_policy=removal_policy,
            network=network,
            # A second attempt of Lambda's would answer a request that CloudFormation has given up.
            retry_attempts=0,
        )
        self._patience = timeout if network is None else timeout.plus(_AWAKENING)
        reasons = {
            "LambdaConcurrency": "CloudFormation runs one at a time; a new account has none to reserve.",
            "LambdaDLQ": "It answers CloudFormation itself; an event kept for later would come too late.",
        }
        if network is None:
            reasons["LambdaInsideVPC"] = "It calls AWS's own APIs and nothing of any network of ours."
        acknowledge_nist(self.function, reasons)

    def resource(
        self, scope: Construct, construct_id: str, *, resource_type: str, properties: Mapping[str, object]
    ) -> cdk.CustomResource:
        """A resource that this function makes: after it has got its permissions, and before it loses them."""
        resource = cdk.CustomResource(
            scope,
            construct_id,
            resource_type=resource_type,
            service_token=self.function.function_arn,
            service_timeout=self._patience,
            properties=properties,
        )
        resource.node.add_dependency(self.role)
        return resource

    def let_see_its_stack(self) -> None:
        """Let the function find out whether the stack is being rolled back."""
        self.role.add_to_policy(
            iam.PolicyStatement(
                actions=["cloudformation:DescribeStacks"], resources=[cdk.Stack.of(self).stack_id]
            )
        )
