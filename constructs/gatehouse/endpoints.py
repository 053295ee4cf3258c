"""Private ways from the VPC to AWS services."""

from aws_cdk import aws_ec2 as ec2
from constructs import Construct

_INTERFACE_SERVICES = {
    "AppConfigData": ec2.InterfaceVpcEndpointAwsService.APPCONFIGDATA,
    "BedrockRuntime": ec2.InterfaceVpcEndpointAwsService.BEDROCK_RUNTIME,
    "EcrApi": ec2.InterfaceVpcEndpointAwsService.ECR,
    "EcrDocker": ec2.InterfaceVpcEndpointAwsService.ECR_DOCKER,
    "Logs": ec2.InterfaceVpcEndpointAwsService.CLOUDWATCH_LOGS,
    "SecretsManager": ec2.InterfaceVpcEndpointAwsService.SECRETS_MANAGER,
    "Sts": ec2.InterfaceVpcEndpointAwsService.STS,
}


class ServiceEndpoints(Construct):
    """Endpoints for the AWS services that tasks need, to start and to answer, so that these need no NAT.

    The interface endpoints belong to `security_group` alone, which decides who reaches them.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        vpc: ec2.IVpc,
        subnets: ec2.SubnetSelection,
        security_group: ec2.ISecurityGroup,
    ) -> None:
        super().__init__(scope, construct_id)
        for name, service in _INTERFACE_SERVICES.items():
            ec2.InterfaceVpcEndpoint(
                self,
                name,
                vpc=vpc,
                service=service,
                subnets=subnets,
                security_groups=[security_group],
                open=False,
                private_dns_enabled=True,
            )
        ec2.GatewayVpcEndpoint(
            self, "S3", vpc=vpc, service=ec2.GatewayVpcEndpointAwsService.S3, subnets=[subnets]
        )
