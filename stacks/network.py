"""The Network stack."""

import aws_cdk as cdk
from aws_cdk import aws_kms as kms
from constructs import Construct

from gatehouse.container_settings import default_port
from gatehouse.endpoints import ServiceEndpoints
from gatehouse.network import Network
from gatehouse.security_groups import SecurityGroups
from stacks.config.model import Environment
from stacks.lifetimes import log_retention, removal_policy


class NetworkStack(cdk.Stack):
    """The VPC, its endpoints and every security group."""

    def __init__(
        self, scope: Construct, construct_id: str, *, config: Environment, log_key: kms.IKey
    ) -> None:
        super().__init__(scope, construct_id, termination_protection=config.termination_protection)
        self._zones = zones = config.network.availability_zones
        nat_gateways = {"none": 0, "one": 1, "one-per-zone": len(zones)}
        self.network = Network(
            self,
            "Network",
            cidr=str(config.network.cidr),
            availability_zones=zones,
            nat_gateways=nat_gateways[config.network.nat],
            flow_log_key=log_key,
            flow_log_retention=log_retention(config),
            removal_policy=removal_policy(config),
        )
        self.security_groups = SecurityGroups(
            self,
            "SecurityGroups",
            vpc=self.network.vpc,
            allowed_cidrs=[str(cidr) for cidr in config.edge.allowed_cidrs],
            service_port=default_port("port"),
            database_port=default_port("database_port"),
            cache_port=default_port("cache_port"),
        )
        ServiceEndpoints(
            self,
            "Endpoints",
            vpc=self.network.vpc,
            subnets=self.network.service_subnets,
            security_group=self.security_groups.endpoints,
        )
        cdk.CfnOutput(self, "VpcId", value=self.network.vpc.vpc_id)

    @property
    def availability_zones(self) -> list[str]:
        """The configured zones: the CDK would look up the region's to compare them."""
        return list(self._zones)
