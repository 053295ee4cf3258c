"""Bedrock's log of model invocations, of one account and region."""

from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from gatehouse.findings import acknowledge, acknowledge_nist

CODE = Path(__file__).parent / "functions" / "invocation_logging"
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
        self.log_group = self._log_group("LogGroup", key, log_retention, removal_policy)
        writer = self._writer()
        role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        self._let_configure(role, writer)
        function = self._function(
            role, self._log_group("FunctionLogGroup", key, log_retention, removal_policy)
        )
        resource = cdk.CustomResource(
            self,
            "Configuration",
            resource_type="Custom::ModelInvocationLogging",
            service_token=function.function_arn,
            service_timeout=TIME_LIMIT,
            properties={
                "LogGroupName": self.log_group.log_group_name,
                "RoleArn": writer.role_arn,
                "Content": "true" if content else "false",
            },
        )
        # With their policies: Bedrock tries the role, and the function needs its own to remove what it made.
        resource.node.add_dependency(role, writer)

    def _log_group(
        self,
        construct_id: str,
        key: kms.IKey,
        log_retention: logs.RetentionDays,
        removal_policy: cdk.RemovalPolicy,
    ) -> logs.LogGroup:
        return logs.LogGroup(
            self, construct_id, encryption_key=key, retention=log_retention, removal_policy=removal_policy
        )

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

    def _function(self, role: iam.Role, log_group: logs.ILogGroup) -> lambda_.Function:
        log_group.grant_write(role)
        function = lambda_.Function(
            self,
            "Function",
            description="Configures Bedrock's log of model invocations for CloudFormation",
            runtime=lambda_.Runtime.PYTHON_3_14,
            architecture=lambda_.Architecture.ARM_64,
            code=lambda_.Code.from_asset(str(CODE), exclude=["__pycache__"]),
            handler="index.on_event",
            timeout=TIME_LIMIT,
            memory_size=256,
            log_group=log_group,
            role=role,
            # A second attempt of Lambda's would answer a request that CloudFormation has given up.
            retry_attempts=0,
        )
        acknowledge_nist(
            function,
            {
                "LambdaConcurrency": "CloudFormation alone calls it, once for each change of the resource.",
                "LambdaDLQ": "It answers CloudFormation itself; an event kept for later would come too late.",
                "LambdaInsideVPC": "It calls one API of AWS and nothing of any network of ours.",
            },
        )
        return function

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
        # It looks whether the stack is being rolled back.
        role.add_to_policy(
            iam.PolicyStatement(
                actions=["cloudformation:DescribeStacks"], resources=[cdk.Stack.of(self).stack_id]
            )
        )
        acknowledge(
            role,
            {
                "IAM5[Resource::*]": "The logging configuration is one of the whole region and has no ARN; a "
                "condition names the region."
            },
        )
