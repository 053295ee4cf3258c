"""The VPC."""

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from constructs import Construct

# Address space is set aside for this many zones, so that a zone added later moves no existing subnet.
MAXIMUM_ZONES = 3


class Network(Construct):
    """A VPC with three kinds of subnets in each zone, and flow logs.

    `public_subnets` hold the load balancer and NAT gateways, `service_subnets` the tasks,
    `data_subnets`, which have no route out, the database and the cache. The VPC's default security
    group is used by nothing.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        cidr: str,
        availability_zones: Sequence[str],
        nat_gateways: int,
        flow_log_key: kms.IKey,
        flow_log_retention: logs.RetentionDays,
        removal_policy: cdk.RemovalPolicy,
    ) -> None:
        super().__init__(scope, construct_id)
        service_type = ec2.SubnetType.PRIVATE_WITH_EGRESS if nat_gateways else ec2.SubnetType.PRIVATE_ISOLATED
        self.vpc = ec2.Vpc(
            self,
            "Vpc",
            ip_addresses=ec2.IpAddresses.cidr(cidr),
            availability_zones=list(availability_zones),
            reserved_azs=MAXIMUM_ZONES - len(availability_zones),
            nat_gateways=nat_gateways,
            subnet_configuration=[
                ec2.SubnetConfiguration(
                    name="public", subnet_type=ec2.SubnetType.PUBLIC, map_public_ip_on_launch=False
                ),
                ec2.SubnetConfiguration(name="service", subnet_type=service_type),
                ec2.SubnetConfiguration(name="data", subnet_type=ec2.SubnetType.PRIVATE_ISOLATED),
            ],
        )
        cdk.Validations.of(self.vpc).acknowledge(
            cdk.Acknowledgment(
                id="CloudFormation-Validate::W3010",
                reason="The configuration names the zones, so that synthesis looks nothing up.",
            )
        )
        self.public_subnets = ec2.SubnetSelection(subnet_group_name="public")
        self.service_subnets = ec2.SubnetSelection(subnet_group_name="service")
        self.data_subnets = ec2.SubnetSelection(subnet_group_name="data")
        self._log_flows(flow_log_key, flow_log_retention, removal_policy)

    def _log_flows(
        self, key: kms.IKey, retention: logs.RetentionDays, removal_policy: cdk.RemovalPolicy
    ) -> None:
        log_group = logs.LogGroup(
            self, "FlowLogGroup", encryption_key=key, retention=retention, removal_policy=removal_policy
        )
        self.vpc.add_flow_log(
            "FlowLog",
            destination=ec2.FlowLogDestination.to_cloud_watch_logs(log_group),
            traffic_type=ec2.FlowLogTrafficType.ALL,
        )
