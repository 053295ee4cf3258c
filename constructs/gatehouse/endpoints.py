"""Private ways from the VPC to AWS services."""

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from constructs import Construct

from gatehouse.endpoint_policies import interface_endpoints, s3_statements
from gateway.catalog import Catalog


class ServiceEndpoints(Construct):
    """Endpoints for the AWS services that tasks or pods need, to start and to answer, without NAT.

    The gateway endpoint for S3 costs nothing; the interface endpoints, which cost by the hour and zone, are
    made where `interfaces` says so. These belong to `security_group` alone, which decides who reaches them.
    The policy of each decides whose requests it lets through, for what. `for_pods` says that the gateway runs
    as pods of the platform's own cluster, and not as tasks.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        vpc: ec2.IVpc,
        subnets: ec2.SubnetSelection,
        security_group: ec2.ISecurityGroup,
        catalog: Catalog,
        interfaces: bool,
        for_pods: bool,
    ) -> None:
        super().__init__(scope, construct_id)
        stack = cdk.Stack.of(self)
        storage = ec2.GatewayVpcEndpoint(
            self, "S3", vpc=vpc, service=ec2.GatewayVpcEndpointAwsService.S3, subnets=[subnets]
        )
        for statement in s3_statements(stack, for_pods=for_pods):
            storage.add_to_policy(statement)
        endpoints = interface_endpoints(stack, catalog, for_pods=for_pods) if interfaces else ()
        for name, service, statements in endpoints:
            endpoint = ec2.InterfaceVpcEndpoint(
                self,
                name,
                vpc=vpc,
                service=service,
                subnets=subnets,
                security_groups=[security_group],
                open=False,
                private_dns_enabled=True,
            )
            for statement in statements:
                endpoint.add_to_policy(statement)
