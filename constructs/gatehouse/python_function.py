"""Functions of the platform's own in AWS Lambda."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from gatehouse.findings import acknowledge

# Folders of other functions that a function imports from.
USES: Mapping[str, Sequence[str]] = {"size_deployment": ["apply_manifests"]}
_SOURCE_ROOT = Path(__file__).parents[1]
_INTERFACE_ACTIONS = [
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:UnassignPrivateIpAddresses",
]
_LOOKS = ["ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets"]


@dataclass(frozen=True, kw_only=True)
class FunctionNetwork:
    """Where in a VPC a function's connections come from."""

    vpc: ec2.IVpc
    subnets: ec2.SubnetSelection
    security_group: ec2.ISecurityGroup


class PythonFunction(Construct):
    """The function of the folder `functions/<handler>`: it may write its log, and nothing else in AWS.

    Its code is that folder, those that it USES, and what all functions share, so that a change of one is none
    of another. Without `log_key` its log is encrypted with a key of AWS's.
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
        environment: Mapping[str, str] | None = None,
        network: FunctionNetwork | None = None,
        retry_attempts: int | None = None,
        function_name: str | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        self.log_group = logs.LogGroup(
            self, "LogGroup", encryption_key=log_key, retention=log_retention, removal_policy=removal_policy
        )
        self.role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        self.log_group.grant_write(self.role)
        if network is not None:
            self._let_connect()
        self.function = lambda_.Function(
            self,
            "Function",
            function_name=function_name,
            description=description,
            runtime=lambda_.Runtime.PYTHON_3_14,
            architecture=lambda_.Architecture.ARM_64,
            code=_code(handler),
            handler=f"gatehouse.functions.{handler}.index.on_event",
            environment=None if environment is None else dict(environment),
            timeout=timeout,
            memory_size=256,
            log_group=self.log_group,
            role=self.role,
            retry_attempts=retry_attempts,
            vpc=None if network is None else network.vpc,
            vpc_subnets=None if network is None else network.subnets,
            security_groups=None if network is None else [network.security_group],
        )

    def _let_connect(self) -> None:
        """Let Lambda make the function's network interfaces, for which it uses the function's role."""
        stack = cdk.Stack.of(self)
        anything = stack.format_arn(service="ec2", resource="*", resource_name="*")
        self.role.add_to_policy(iam.PolicyStatement(actions=_INTERFACE_ACTIONS, resources=[anything]))
        self.role.add_to_policy(iam.PolicyStatement(actions=_LOOKS, resources=["*"]))
        functions = stack.format_arn(
            service="lambda",
            resource="function",
            resource_name="*",
            arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
        )
        # A call by a function's code tells the function's ARN, Lambda's own does not.
        self.role.add_to_policy(
            iam.PolicyStatement(
                effect=iam.Effect.DENY,
                actions=[*_INTERFACE_ACTIONS, *_LOOKS],
                resources=["*"],
                conditions={"ArnLike": {"lambda:SourceFunctionArn": functions}},
            )
        )
        reason = "Lambda alone may use it, for interfaces that do not exist yet; the code is denied it."
        acknowledge(
            self.role,
            {f"IAM5[Resource::{stack.resolve(arn)}]": reason for arn in (anything, "*")},
        )


def _code(name: str) -> lambda_.Code:
    own = [f"gatehouse/functions/{folder}/**/*.py" for folder in (name, *USES.get(name, ()))]
    wanted = ["gatehouse/__init__.py", "gatehouse/functions/*.py", *own]
    return lambda_.Code.from_asset(
        str(_SOURCE_ROOT),
        exclude=["**", *(f"!{path}" for path in wanted)],
        ignore_mode=cdk.IgnoreMode.DOCKER,
    )
