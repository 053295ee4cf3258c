"""The load balancer in front of the gateway."""

import aws_cdk as cdk
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk import aws_s3 as s3
from constructs import Construct

# A model may think this long before its first byte, and between two of a stream.
IDLE_TIMEOUT = cdk.Duration.seconds(900)
SSL_POLICY = elbv2.SslPolicy.TLS13_12_RES_PQ


class LoadBalancer(Construct):
    """An internet-facing application load balancer that speaks TLS; plain HTTP is redirected.

    `listener` answers 404 until something adds a rule to it. Access and connection logs go to `logs`.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        vpc: ec2.IVpc,
        subnets: ec2.SubnetSelection,
        security_group: ec2.ISecurityGroup,
        certificate: acm.ICertificate,
        logs: s3.IBucket,
        deletion_protection: bool,
    ) -> None:
        super().__init__(scope, construct_id)
        self.load_balancer = elbv2.ApplicationLoadBalancer(
            self,
            "LoadBalancer",
            vpc=vpc,
            vpc_subnets=subnets,
            security_group=security_group,
            internet_facing=True,
            idle_timeout=IDLE_TIMEOUT,
            drop_invalid_header_fields=True,
            desync_mitigation_mode=elbv2.DesyncMitigationMode.STRICTEST,
            deletion_protection=deletion_protection,
        )
        self.load_balancer.log_access_logs(logs, "access")
        self.load_balancer.log_connection_logs(logs, "connections")
        self.listener = self.load_balancer.add_listener(
            "Https",
            port=443,
            protocol=elbv2.ApplicationProtocol.HTTPS,
            certificates=[certificate],
            ssl_policy=SSL_POLICY,
            open=False,
            default_action=elbv2.ListenerAction.fixed_response(404),
        )
        self.load_balancer.add_listener(
            "Http",
            port=80,
            protocol=elbv2.ApplicationProtocol.HTTP,
            open=False,
            default_action=elbv2.ListenerAction.redirect(protocol="HTTPS", port="443", permanent=True),
        )
