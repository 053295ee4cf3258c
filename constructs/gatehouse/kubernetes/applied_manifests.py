"""Manifests that CloudFormation applies to a cluster."""

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from constructs import Construct

from gatehouse.custom_resource_function import CustomResourceFunction
from gatehouse.findings import acknowledge
from gatehouse.kubernetes.cluster_reference import ClusterReference
from gatehouse.kubernetes.manifest import Manifest
from gatehouse.python_function import FunctionNetwork

RESOURCE_TYPE = "Custom::KubernetesManifests"
HTTPS = 443
# The longest that Lambda allows: pods are replaced in this time, or as before again.
TIME_LIMIT = cdk.Duration.minutes(15)


class ManifestFunction(Construct):
    """The function that applies manifests to a cluster, whose API it reaches from inside the VPC.

    In AWS its role finds the cluster, the state of alarms and that of its own stack, and nothing else; in the
    cluster it may what an access entry lets it. `endpoints_security_group` guards the VPC's endpoints.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        cluster: ClusterReference,
        vpc: ec2.IVpc,
        subnets: ec2.SubnetSelection,
        endpoints_security_group: ec2.ISecurityGroup,
        alarms: Sequence[cloudwatch.Alarm],
        log_key: kms.IKey,
        log_retention: logs.RetentionDays,
        removal_policy: cdk.RemovalPolicy,
    ) -> None:
        super().__init__(scope, construct_id)
        self.security_group = ec2.SecurityGroup(
            self, "SecurityGroup", vpc=vpc, description="Applies manifests", allow_all_outbound=False
        )
        # Also to AWS services: without endpoints they have public addresses, and S3, where CloudFormation
        # awaits its answers, has them always.
        self.security_group.add_egress_rule(ec2.Peer.any_ipv4(), ec2.Port.tcp(HTTPS), "Cluster, AWS services")
        self._be_admitted("ToCluster", cluster.security_group)
        self._be_admitted("ToEndpoints", endpoints_security_group)
        self.function = CustomResourceFunction(
            self,
            "Function",
            handler="apply_manifests",
            description="Applies manifests to a Kubernetes cluster for CloudFormation",
            timeout=TIME_LIMIT,
            log_key=log_key,
            log_retention=log_retention,
            removal_policy=removal_policy,
            network=FunctionNetwork(vpc=vpc, subnets=subnets, security_group=self.security_group),
        )
        self.cluster = cluster
        self.alarms = alarms
        self.role = self.function.role
        self.function.let_see_its_stack()
        self.role.add_to_policy(iam.PolicyStatement(actions=["eks:DescribeCluster"], resources=[cluster.arn]))
        if alarms:
            self._let_see_alarms()

    def _be_admitted(self, construct_id: str, group: ec2.ISecurityGroup) -> None:
        """A rule of this stack: the group may be another's, on which this one depends."""
        ec2.CfnSecurityGroupIngress(
            self,
            construct_id,
            group_id=group.security_group_id,
            source_security_group_id=self.security_group.security_group_id,
            ip_protocol="tcp",
            from_port=HTTPS,
            to_port=HTTPS,
            description="From the function that applies manifests",
        )

    def _let_see_alarms(self) -> None:
        stack = cdk.Stack.of(self)
        every_alarm = stack.format_arn(
            service="cloudwatch",
            resource="alarm",
            resource_name="*",
            arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
        )
        self.role.add_to_policy(
            iam.PolicyStatement(actions=["cloudwatch:DescribeAlarms"], resources=[every_alarm])
        )
        acknowledge(
            self.role,
            {
                f"IAM5[Resource::{stack.resolve(every_alarm)}]": "It only reads; what CloudWatch asks for "
                "varies with the call, and its refusal would take every deployment back."
            },
        )


class AppliedManifests(Construct):
    """Objects in a cluster, applied in their order; see functions/apply_manifests.

    Created and updated when every Job among them has succeeded and every Deployment has its newest pods
    available; with `watch_alarms` an update fails as well when one of the function's alarms goes off.
    Raises ValueError for a Secret: it would stand in the template, and in CloudFormation's records.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        function: ManifestFunction,
        manifests: Sequence[Manifest],
        watch_alarms: bool,
    ) -> None:
        super().__init__(scope, construct_id)
        if secret := next((manifest for manifest in manifests if manifest["kind"] == "Secret"), None):
            raise ValueError(
                f"{secret['metadata']['name']} is a Secret, whose value would stand in the template: "
                "keep it in AWS Secrets Manager and mount it by a SecretProviderClass"
            )
        self.resource = function.function.resource(
            self,
            "Apply",
            resource_type=RESOURCE_TYPE,
            properties={
                "Cluster": function.cluster.name,
                # One string: CloudFormation makes strings of the numbers and truth values in properties.
                "Manifests": cdk.Stack.of(self).to_json_string(manifests),
                "Alarms": [alarm.alarm_name for alarm in function.alarms] if watch_alarms else [],
            },
        )
        # Without its rules the function reaches neither the cluster nor CloudFormation.
        self.resource.node.add_dependency(function)
