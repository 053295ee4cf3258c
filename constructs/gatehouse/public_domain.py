"""The gateway's public names."""

from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk import aws_route53 as route53
from aws_cdk import aws_route53_targets as targets
from constructs import Construct


class PublicDomain(Construct):
    """A certificate for two names, and the records that lead to what serves them.

    Callers use `domain_name`; `regional_name` always means this region. Without `certificate` one for
    both is made, and is validated and renewed through `hosted_zone`, which must then be public.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        domain_name: str,
        regional_name: str,
        hosted_zone: route53.IHostedZone,
        certificate: acm.ICertificate | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        self._names = {"": domain_name, "Regional": regional_name}
        self._hosted_zone = hosted_zone
        self.certificate: acm.ICertificate = certificate or acm.Certificate(
            self,
            "Certificate",
            domain_name=domain_name,
            subject_alternative_names=[regional_name],
            validation=acm.CertificateValidation.from_dns(hosted_zone),
        )

    def point_to(self, load_balancer: elbv2.IApplicationLoadBalancer, *, dual_stack: bool) -> None:
        """Make both names resolve to a load balancer; `dual_stack` says whether it has IPv6 addresses."""
        target = route53.RecordTarget.from_alias(targets.LoadBalancerTarget(load_balancer))
        zone = self._hosted_zone
        for prefix, name in self._names.items():
            route53.ARecord(self, f"{prefix}Alias", zone=zone, record_name=f"{name}.", target=target)
            if dual_stack:
                route53.AaaaRecord(
                    self, f"{prefix}AliasIpv6", zone=zone, record_name=f"{name}.", target=target
                )
