"""The gateway's public name."""

from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk import aws_route53 as route53
from aws_cdk import aws_route53_targets as targets
from constructs import Construct


class PublicDomain(Construct):
    """A certificate for `domain_name`, validated and renewed through DNS, and the record that serves it."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        domain_name: str,
        hosted_zone: route53.IHostedZone,
    ) -> None:
        super().__init__(scope, construct_id)
        self._domain_name = domain_name
        self._hosted_zone = hosted_zone
        self.certificate = acm.Certificate(
            self,
            "Certificate",
            domain_name=domain_name,
            validation=acm.CertificateValidation.from_dns(hosted_zone),
        )

    def point_to(self, load_balancer: elbv2.IApplicationLoadBalancer) -> None:
        """Make the name resolve to a load balancer."""
        route53.ARecord(
            self,
            "Alias",
            zone=self._hosted_zone,
            record_name=f"{self._domain_name}.",
            target=route53.RecordTarget.from_alias(targets.LoadBalancerTarget(load_balancer)),
        )
