"""The security group that every VPC is born with."""

from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from gatehouse.findings import acknowledge_nist

CODE = Path(__file__).parent / "functions" / "empty_default_security_group"
TIME_LIMIT = cdk.Duration.minutes(2)


class EmptyDefaultSecurityGroup(Construct):
    """A custom resource that takes the rules of a VPC's default security group away.

    CloudFormation can add rules to that group, but not remove those that EC2 made: whatever is launched
    without a security group of its own would reach the world and the others like it. The function may remove
    rules of this one group and nothing else. Removing the resource brings no rule back.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        vpc: ec2.Vpc,
        has_ipv6: bool,
        log_key: kms.IKey,
        log_retention: logs.RetentionDays,
        removal_policy: cdk.RemovalPolicy,
    ) -> None:
        super().__init__(scope, construct_id)
        log_group = logs.LogGroup(
            self, "LogGroup", encryption_key=log_key, retention=log_retention, removal_policy=removal_policy
        )
        role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        log_group.grant_write(role)
        group = cdk.Stack.of(self).format_arn(
            service="ec2", resource="security-group", resource_name=vpc.vpc_default_security_group
        )
        role.add_to_policy(
            iam.PolicyStatement(
                actions=["ec2:RevokeSecurityGroupEgress", "ec2:RevokeSecurityGroupIngress"], resources=[group]
            )
        )
        function = lambda_.Function(
            self,
            "Function",
            description="Empties the default security group of a VPC for CloudFormation",
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
        _acknowledge_findings(function)
        resource = cdk.CustomResource(
            self,
            "Empty",
            resource_type="Custom::EmptyDefaultSecurityGroup",
            service_token=function.function_arn,
            service_timeout=TIME_LIMIT,
            properties={"SecurityGroup": vpc.vpc_default_security_group, "Ipv6": has_ipv6},
        )
        # After the whole VPC: with its block of IPv6 addresses the group gets one more rule.
        resource.node.add_dependency(role, vpc)
        acknowledge_nist(
            vpc, {"VPCDefaultSecurityGroupClosed": "A custom resource of this stack removes all its rules."}
        )


def _acknowledge_findings(function: lambda_.Function) -> None:
    acknowledge_nist(
        function,
        {
            "LambdaConcurrency": "CloudFormation calls it once in the life of a VPC; a reservation would "
            "take capacity from the account.",
            "LambdaDLQ": "It answers CloudFormation itself, which waits for it and reports a failure.",
            "LambdaInsideVPC": "It calls EC2's API alone, before the VPC has a way to reach it.",
        },
    )
