"""The Network stack."""

import aws_cdk as cdk
from aws_cdk import aws_kms as kms
from constructs import Construct

from gatehouse.container_settings import default_port
from gatehouse.endpoints import ServiceEndpoints
from gatehouse.existing_vpc import ExistingVpc
from gatehouse.network import Network, NewVpc
from gatehouse.profiles import dial, litellm
from gatehouse.security_groups import SecurityGroups
from gateway.catalog import Catalog
from stacks.config.model import Environment
from stacks.lifetimes import log_retention, removal_policy
from stacks.regional_stack import RegionalStack


class NetworkStack(RegionalStack):
    """The VPC, its endpoints and every security group."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        config: Environment,
        catalog: Catalog,
        log_key: kms.IKey,
    ) -> None:
        super().__init__(scope, construct_id, config=config)
        existing = config.compute.existing
        self._zones = config.network.availability_zones
        self.network = _network(self, config, log_key)
        self.security_groups = SecurityGroups(
            self,
            "SecurityGroups",
            vpc=self.network.vpc,
            has_ipv6=self.network.has_ipv6,
            load_balancer_asks_issuer=config.edge.verify_tokens or bool(config.edge.sign_in_paths),
            allowed_cidrs=[str(cidr) for cidr in config.edge.allowed_cidrs],
            service_port=_service_port(config),
            database_port=default_port("database_port"),
            cache_port=default_port("cache_port"),
            existing_service_group_id=existing.pod_security_group_id if existing else None,
        )
        if config.network.endpoints != "none":
            ServiceEndpoints(
                self,
                "Endpoints",
                vpc=self.network.vpc,
                subnets=self.network.service_subnets,
                security_group=self.security_groups.endpoints,
                catalog=catalog,
                interfaces=config.network.endpoints == "all",
                for_pods=config.compute.platform == "eks",
            )
        cdk.CfnOutput(self, "VpcId", value=self.network.vpc.vpc_id)

    @property
    def availability_zones(self) -> list[str]:
        """The configured zones: the CDK would look up the region's to compare them."""
        return list(self._zones)


def _service_port(config: Environment) -> int:
    ports = {"gatehouse": default_port("port"), "litellm": litellm.PORT, "dial": dial.PORT}
    return config.image.port or ports[config.image.profile]


def _network(stack: NetworkStack, config: Environment, log_key: kms.IKey) -> Network:
    settings = config.network
    if (existing := settings.existing) is not None:
        return ExistingVpc(
            stack,
            "Network",
            vpc_id=existing.vpc_id,
            availability_zones=settings.availability_zones,
            public_subnet_ids=existing.public_subnet_ids,
            service_subnet_ids=existing.service_subnet_ids,
            data_subnet_ids=existing.data_subnet_ids,
            service_route_table_ids=existing.service_route_table_ids,
            has_ipv6=settings.ipv6,
        ).network
    return NewVpc(
        stack,
        "Network",
        cidr=str(settings.cidr),
        availability_zones=settings.availability_zones,
        public_subnets=settings.nat != "none" or config.edge.scheme == "internet-facing",
        nat_gateways={"none": 0, "one": 1, "one-per-zone": len(settings.availability_zones)}[settings.nat],
        ipv6=settings.ipv6,
        log_key=log_key,
        log_retention=log_retention(config),
        removal_policy=removal_policy(config),
    ).network
