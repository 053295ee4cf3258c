"""Bedrock's log of model invocations, of one account and region."""

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from constructs import Construct

from gatehouse.custom_resource_function import CustomResourceFunction
from gatehouse.findings import acknowledge

TIME_LIMIT = cdk.Duration.minutes(5)
# The one stream that Bedrock writes into.
_STREAM = "aws/bedrock/modelinvocations"


class InvocationLogging(Construct):
    """A log group in which Bedrock tells of every invocation of a model in this account and region.

    An entry holds the time, the caller's session, the model, the tokens, and the region that answered. Only
    with `content` it holds the prompt and the answer, too. A configuration that the account has already is
    left alone: then this resource fails to be created.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        content: bool,
        key: kms.IKey,
        log_retention: logs.RetentionDays,
        removal_policy: cdk.RemovalPolicy,
    ) -> None:
        super().__init__(scope, construct_id)
        self.log_group = logs.LogGroup(
            self, "LogGroup", encryption_key=key, retention=log_retention, removal_policy=removal_policy
        )
        writer = self._writer()
        function = CustomResourceFunction(
            self,
            "Function",
            handler="invocation_logging",
            description="Configures Bedrock's log of model invocations for CloudFormation",
            timeout=TIME_LIMIT,
            log_key=key,
            log_retention=log_retention,
            removal_policy=removal_policy,
        )
        function.let_see_its_stack()
        self._let_configure(function.role, writer)
        resource = function.resource(
            self,
            "Configuration",
            resource_type="Custom::ModelInvocationLogging",
            properties={
                "LogGroupName": self.log_group.log_group_name,
                "RoleArn": writer.role_arn,
                "Content": "true" if content else "false",
            },
        )
        # With its policy: Bedrock tries the role.
        resource.node.add_dependency(writer)

    def _writer(self) -> iam.Role:
        """The role by which Bedrock writes, on behalf of this account and region alone."""
        stack = cdk.Stack.of(self)
        role = iam.Role(
            self,
            "Writer",
            assumed_by=iam.ServicePrincipal(
                "bedrock.amazonaws.com",
                conditions={
                    "StringEquals": {"aws:SourceAccount": stack.account},
                    "ArnLike": {
                        "aws:SourceArn": f"arn:{stack.partition}:bedrock:{stack.region}:{stack.account}:*"
                    },
                },
            ),
        )
        role.add_to_policy(
            iam.PolicyStatement(
                actions=["logs:CreateLogStream", "logs:PutLogEvents"],
                resources=[
                    stack.format_arn(
                        service="logs",
                        resource="log-group",
                        resource_name=f"{self.log_group.log_group_name}:log-stream:{_STREAM}",
                        arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
                    )
                ],
            )
        )
        return role

    def _let_configure(self, role: iam.Role, writer: iam.IRole) -> None:
        role.add_to_policy(
            iam.PolicyStatement(
                actions=[
                    "bedrock:GetModelInvocationLoggingConfiguration",
                    "bedrock:PutModelInvocationLoggingConfiguration",
                    "bedrock:DeleteModelInvocationLoggingConfiguration",
                ],
                resources=["*"],
                conditions={"StringEquals": {"aws:RequestedRegion": cdk.Stack.of(self).region}},
            )
        )
        role.add_to_policy(
            iam.PolicyStatement(
                actions=["iam:PassRole"],
                resources=[writer.role_arn],
                conditions={"StringEquals": {"iam:PassedToService": "bedrock.amazonaws.com"}},
            )
        )
        acknowledge(
            role,
            {
                "IAM5[Resource::*]": "The logging configuration is one of the whole region and has no ARN; a "
                "condition names the region."
            },
        )
