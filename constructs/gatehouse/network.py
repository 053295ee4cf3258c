"""The VPC."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from constructs import Construct

from gatehouse.default_security_group import EmptyDefaultSecurityGroup
from gatehouse.findings import acknowledge_nist

# Address space is set aside for this many zones, so that a zone added later moves no existing subnet.
MAXIMUM_ZONES = 3
PUBLIC = "public"
SERVICE = "service"
DATA = "data"


@dataclass(frozen=True, kw_only=True)
class Network:
    """A VPC with three kinds of subnets in each zone, whoever made it.

    `public_subnets` hold an internet-facing load balancer and NAT gateways, `service_subnets` the tasks and
    the interface endpoints, `data_subnets`, which have no route out, the database and the cache. With
    `has_ipv6` every subnet has a block of IPv6 addresses beside its IPv4 one.
    """

    vpc: ec2.IVpc
    has_ipv6: bool
    public_subnets: ClassVar = ec2.SubnetSelection(subnet_group_name=PUBLIC)
    service_subnets: ClassVar = ec2.SubnetSelection(subnet_group_name=SERVICE)
    data_subnets: ClassVar = ec2.SubnetSelection(subnet_group_name=DATA)


class NewVpc(Construct):
    """A VPC in the named zones that logs all its traffic; its default security group has no rules.

    With `nat_gateways` 0 the service subnets have no route out, for IPv4 or IPv6. With `ipv6` the VPC has a
    block of Amazon's, and the service subnets reach out by an egress-only internet gateway. Without
    `public_subnets`, which NAT gateways need, there is no internet gateway either.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        cidr: str,
        availability_zones: Sequence[str],
        public_subnets: bool,
        nat_gateways: int,
        ipv6: bool,
        log_key: kms.IKey,
        log_retention: logs.RetentionDays,
        removal_policy: cdk.RemovalPolicy,
    ) -> None:
        super().__init__(scope, construct_id)
        vpc = ec2.Vpc(
            self,
            "Vpc",
            ip_addresses=ec2.IpAddresses.cidr(cidr),
            ip_protocol=ec2.IpProtocol.DUAL_STACK if ipv6 else ec2.IpProtocol.IPV4_ONLY,
            availability_zones=list(availability_zones),
            reserved_azs=MAXIMUM_ZONES - len(availability_zones),
            nat_gateways=nat_gateways,
            subnet_configuration=_subnet_configuration(
                public=public_subnets, has_way_out=nat_gateways > 0, ipv6=ipv6
            ),
        )
        cdk.Validations.of(vpc).acknowledge(
            cdk.Acknowledgment(
                id="CloudFormation-Validate::W3010",
                reason="The configuration names the zones, so that synthesis looks nothing up.",
            )
        )
        _acknowledge_findings(vpc, ipv6=ipv6)
        self.network = Network(vpc=vpc, has_ipv6=ipv6)
        self._log_flows(vpc, log_key, log_retention, removal_policy)
        EmptyDefaultSecurityGroup(
            self,
            "DefaultSecurityGroup",
            vpc=vpc,
            has_ipv6=ipv6,
            log_key=log_key,
            log_retention=log_retention,
            removal_policy=removal_policy,
        )

    def _log_flows(
        self, vpc: ec2.Vpc, key: kms.IKey, retention: logs.RetentionDays, removal_policy: cdk.RemovalPolicy
    ) -> None:
        log_group = logs.LogGroup(
            self, "FlowLogGroup", encryption_key=key, retention=retention, removal_policy=removal_policy
        )
        stack = cdk.Stack.of(self)
        flow_logs = stack.format_arn(service="ec2", resource="vpc-flow-log", resource_name="*")
        # The service writes for whoever names the role: these conditions keep it to this account's flow logs.
        role = iam.Role(
            self,
            "FlowLogRole",
            assumed_by=iam.ServicePrincipal(
                "vpc-flow-logs.amazonaws.com",
                conditions={
                    "StringEquals": {"aws:SourceAccount": stack.account},
                    "ArnLike": {"aws:SourceArn": flow_logs},
                },
            ),
        )
        vpc.add_flow_log(
            "FlowLog",
            destination=ec2.FlowLogDestination.to_cloud_watch_logs(log_group, role),
            traffic_type=ec2.FlowLogTrafficType.ALL,
        )


def _subnet_configuration(*, public: bool, has_way_out: bool, ipv6: bool) -> list[ec2.SubnetConfiguration]:
    # IPv6 addresses for tasks alone: load balancers choose theirs, databases have none.
    assign_ipv6 = False if ipv6 else None
    service = ec2.SubnetType.PRIVATE_WITH_EGRESS if has_way_out else ec2.SubnetType.PRIVATE_ISOLATED
    return [
        ec2.SubnetConfiguration(
            name=PUBLIC,
            subnet_type=ec2.SubnetType.PUBLIC,
            map_public_ip_on_launch=False,
            ipv6_assign_address_on_creation=assign_ipv6,
            # Its address space is kept, so that having them later moves no other subnet.
            reserved=not public,
        ),
        ec2.SubnetConfiguration(name=SERVICE, subnet_type=service),
        ec2.SubnetConfiguration(
            name=DATA,
            subnet_type=ec2.SubnetType.PRIVATE_ISOLATED,
            ipv6_assign_address_on_creation=assign_ipv6,
        ),
    ]


def _acknowledge_findings(vpc: ec2.Vpc, *, ipv6: bool) -> None:
    for subnet in vpc.public_subnets:
        acknowledge_nist(
            subnet,
            {
                "VPCNoUnrestrictedRouteToIGW": "Only the load balancer and NAT gateways are in this subnet, "
                "which gives out no public addresses."
            },
        )
    for subnet in vpc.select_subnets(subnet_group_name=SERVICE).subnets if ipv6 else ():
        acknowledge_nist(
            subnet,
            {
                "VPCSubnetAutoAssignPublicIpDisabled": "Tasks get IPv6 addresses, to which no route leads: "
                "the gateway for them is egress-only."
            },
        )
