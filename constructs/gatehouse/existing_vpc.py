"""A VPC that the platform did not make."""

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from constructs import Construct

from gatehouse.network import DATA, PUBLIC, SERVICE, Network


class ExistingVpc(Construct):
    """A VPC and subnets of somebody else's, by their IDs: nothing is looked up, and nothing in them changes.

    Subnets and route tables are listed in the order of `availability_zones`. `public_subnet_ids` may be empty
    where the load balancer is internal, `service_route_table_ids` where no gateway endpoint is made.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        vpc_id: str,
        availability_zones: Sequence[str],
        public_subnet_ids: Sequence[str],
        service_subnet_ids: Sequence[str],
        data_subnet_ids: Sequence[str],
        service_route_table_ids: Sequence[str],
        has_ipv6: bool,
    ) -> None:
        super().__init__(scope, construct_id)
        vpc = ec2.Vpc.from_vpc_attributes(
            self,
            "Vpc",
            vpc_id=vpc_id,
            availability_zones=list(availability_zones),
            public_subnet_ids=list(public_subnet_ids) or None,
            public_subnet_names=[PUBLIC] if public_subnet_ids else None,
            private_subnet_ids=list(service_subnet_ids),
            private_subnet_names=[SERVICE],
            private_subnet_route_table_ids=list(service_route_table_ids) or None,
            isolated_subnet_ids=list(data_subnet_ids),
            isolated_subnet_names=[DATA],
        )
        for subnet in (*vpc.public_subnets, *vpc.private_subnets, *vpc.isolated_subnets):
            cdk.Annotations.of(subnet).acknowledge_warning(
                "@aws-cdk/aws-ec2:noSubnetRouteTableId",
                "Only a gateway endpoint's route tables are needed, and those are given.",
            )
        self.network = Network(vpc=vpc, has_ipv6=has_ipv6)
