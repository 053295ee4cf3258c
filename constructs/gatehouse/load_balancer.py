"""The load balancer in front of the gateway."""

import aws_cdk as cdk
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from constructs import Construct

from gatehouse.findings import acknowledge_nist
from gatehouse.time_limits import IDLE_SECONDS
from gateway.errors import GatewayError

IDLE_TIMEOUT = cdk.Duration.seconds(IDLE_SECONDS)
# How long a caller's connection is kept for further requests; a running answer outlives it.
CLIENT_KEEP_ALIVE = cdk.Duration.hours(1)
# TLS 1.3, and 1.2 with forward secrecy and authenticated encryption; keys that quantum computers cannot find.
SSL_POLICY = elbv2.SslPolicy.TLS13_12_RES_PQ
_NOT_FOUND = GatewayError(404, "Nothing is served here yet.", type="invalid_request_error", code="not_found")
_HEALTH_CHECK_LOGS = "health-checks"


class LoadBalancer(Construct):
    """An application load balancer that speaks TLS; plain HTTP is redirected.

    `listener` answers 404 until something adds a rule to it. Access, connection and health-check logs
    go to `logs`. With `internet_facing` false it has private addresses alone; with `dual_stack`, for which
    the subnets have IPv6 blocks, IPv6 addresses too.
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
        internet_facing: bool,
        dual_stack: bool,
        deletion_protection: bool,
    ) -> None:
        super().__init__(scope, construct_id)
        self.load_balancer = elbv2.ApplicationLoadBalancer(
            self,
            "LoadBalancer",
            vpc=vpc,
            vpc_subnets=subnets,
            security_group=security_group,
            internet_facing=internet_facing,
            ip_address_type=elbv2.IpAddressType.DUAL_STACK if dual_stack else elbv2.IpAddressType.IPV4,
            idle_timeout=IDLE_TIMEOUT,
            client_keep_alive=CLIENT_KEEP_ALIVE,
            cross_zone_enabled=True,
            drop_invalid_header_fields=True,
            desync_mitigation_mode=elbv2.DesyncMitigationMode.STRICTEST,
            # What the caller wrote stays before the address that the load balancer saw.
            xff_header_processing_mode=elbv2.XffHeaderProcessingMode.APPEND,
            # While AWS WAF cannot be asked, nothing passes unasked.
            waf_fail_open=False,
            deletion_protection=deletion_protection,
        )
        if not deletion_protection:
            acknowledge_nist(
                self.load_balancer,
                {"ELBDeletionProtectionEnabled": "This environment can be removed with its load balancer."},
            )
        # Lets an operator, or AWS by itself, take traffic out of a zone that is ill.
        self.load_balancer.set_attribute("zonal_shift.config.enabled", "true")
        self._log_to(logs)
        self.listener = self._https(certificate)
        self._redirect_http()

    def _log_to(self, bucket: s3.IBucket) -> None:
        self.load_balancer.log_access_logs(bucket, "access")
        self.load_balancer.log_connection_logs(bucket, "connections")
        account = cdk.Stack.of(self).account
        bucket.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.ServicePrincipal("logdelivery.elasticloadbalancing.amazonaws.com")],
                actions=["s3:PutObject"],
                resources=[bucket.arn_for_objects(f"{_HEALTH_CHECK_LOGS}/AWSLogs/{account}/*")],
            )
        )
        self.load_balancer.set_attribute("health_check_logs.s3.enabled", "true")
        self.load_balancer.set_attribute("health_check_logs.s3.bucket", bucket.bucket_name)
        self.load_balancer.set_attribute("health_check_logs.s3.prefix", _HEALTH_CHECK_LOGS)

    def _https(self, certificate: acm.ICertificate) -> elbv2.ApplicationListener:
        listener = self.load_balancer.add_listener(
            "Https",
            port=443,
            protocol=elbv2.ApplicationProtocol.HTTPS,
            certificates=[certificate],
            ssl_policy=SSL_POLICY,
            open=False,
            default_action=elbv2.ListenerAction.fixed_response(
                _NOT_FOUND.status, content_type="application/json", message_body=_NOT_FOUND.body().decode()
            ),
        )
        response = "routing.http.response"
        listener.set_attribute(f"{response}.server.enabled", "false")
        listener.set_attribute(f"{response}.strict_transport_security.header_value", "max-age=31536000")
        listener.set_attribute(f"{response}.x_content_type_options.header_value", "nosniff")
        return listener

    def _redirect_http(self) -> None:
        listener = self.load_balancer.add_listener(
            "Http",
            port=80,
            protocol=elbv2.ApplicationProtocol.HTTP,
            open=False,
            default_action=elbv2.ListenerAction.redirect(protocol="HTTPS", port="443", permanent=True),
        )
        acknowledge_nist(
            listener,
            {"ELBv2ACMCertificateRequired": "It serves nothing but the redirect to the TLS listener."},
        )
