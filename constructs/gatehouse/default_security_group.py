"""The security group that every VPC is born with."""

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from constructs import Construct

from gatehouse.custom_resource_function import CustomResourceFunction
from gatehouse.findings import acknowledge_nist

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
        function = CustomResourceFunction(
            self,
            "Function",
            handler="empty_default_security_group",
            description="Empties the default security group of a VPC for CloudFormation",
            timeout=TIME_LIMIT,
            log_key=log_key,
            log_retention=log_retention,
            removal_policy=removal_policy,
        )
        group = cdk.Stack.of(self).format_arn(
            service="ec2", resource="security-group", resource_name=vpc.vpc_default_security_group
        )
        function.role.add_to_policy(
            iam.PolicyStatement(
                actions=["ec2:RevokeSecurityGroupEgress", "ec2:RevokeSecurityGroupIngress"], resources=[group]
            )
        )
        resource = function.resource(
            self,
            "Empty",
            resource_type="Custom::EmptyDefaultSecurityGroup",
            properties={"SecurityGroup": vpc.vpc_default_security_group, "Ipv6": has_ipv6},
        )
        # After the whole VPC: with its block of IPv6 addresses the group gets one more rule.
        resource.node.add_dependency(vpc)
        acknowledge_nist(
            vpc, {"VPCDefaultSecurityGroupClosed": "A custom resource of this stack removes all its rules."}
        )
