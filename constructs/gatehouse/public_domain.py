"""The gateway's public names."""

from dataclasses import dataclass
from typing import Any, Literal

import aws_cdk as cdk
import jsii
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk import aws_route53 as route53
from aws_cdk import aws_route53_targets as targets
from constructs import Construct

# The fastest that Route 53 checks: a region that answers nothing is left after half a minute.
CHECK_INTERVAL = cdk.Duration.seconds(10)
CHECK_FAILURES = 3


@jsii.implements(targets.IAliasRecordTargetProps)
class _EvaluatesHealth:
    @property
    def evaluate_target_health(self) -> bool | None:
        return True

    @property
    def hosted_zone_id(self) -> str | None:
        return None


@jsii.implements(route53.IAliasRecordTarget)
class _HealthOf:
    """The target of an alias: another record of the same zone, with the health that it has."""

    def __init__(self, record: route53.RecordSet) -> None:
        self._record = record

    def bind(
        self, _record: route53.IRecordSet, zone: route53.IHostedZone | None = None
    ) -> route53.AliasRecordTargetConfig:
        if zone is None:
            raise ValueError("an alias of a record needs the zone of both")
        return route53.AliasRecordTargetConfig(
            hosted_zone_id=zone.hosted_zone_id,
            dns_name=self._record.domain_name,
            evaluate_target_health=True,
        )


@dataclass(frozen=True, kw_only=True)
class Failover:
    """This region's part in a public name that two regions have.

    region: names this region's records among those of the name. health_check_id: of the health check that
    decides whether they are answered; None if there is none. health: what decides, too: `endpoint`, that
    `live_path` of the region's own name answers Route 53, which asks from the internet; `targets`, that each
    target group of the load balancer has a healthy target; `nothing`.
    """

    region: str
    is_primary: bool
    health_check_id: str | None
    health: Literal["endpoint", "targets", "nothing"]
    live_path: str

    def properties(self, scope: Construct) -> dict[str, Any]:
        """What the records have of it."""
        health_check = None
        if self.health_check_id is not None:
            health_check = route53.HealthCheck.from_health_check_id(
                scope, "HealthCheck", self.health_check_id
            )
        return {
            "set_identifier": self.region,
            "failover": route53.Failover.PRIMARY if self.is_primary else route53.Failover.SECONDARY,
            "health_check": health_check,
        }


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
        self._domain_name, self._regional_name = domain_name, regional_name
        self._hosted_zone = hosted_zone
        self.certificate: acm.ICertificate = certificate or acm.Certificate(
            self,
            "Certificate",
            domain_name=domain_name,
            subject_alternative_names=[regional_name],
            validation=acm.CertificateValidation.from_dns(hosted_zone),
        )

    def point_to(
        self,
        load_balancer: elbv2.IApplicationLoadBalancer,
        *,
        dual_stack: bool,
        failover: Failover | None = None,
    ) -> None:
        """Make both names resolve to a load balancer; `dual_stack` says whether it has IPv6 addresses.

        With `failover` the public name does so only while this region is the one that serves.
        """
        kinds = [("Alias", route53.ARecord), ("AliasIpv6", route53.AaaaRecord)]
        properties = failover.properties(self) if failover else {}
        checked = self._endpoint_check(failover) if failover and failover.health == "endpoint" else {}
        for construct_id, kind in kinds if dual_stack else kinds[:1]:
            regional = kind(
                self,
                f"Regional{construct_id}",
                zone=self._hosted_zone,
                record_name=f"{self._regional_name}.",
                target=route53.RecordTarget.from_alias(targets.LoadBalancerTarget(load_balancer)),
                **checked,
            )
            kind(
                self,
                construct_id,
                zone=self._hosted_zone,
                record_name=f"{self._domain_name}.",
                target=route53.RecordTarget.from_alias(_target(load_balancer, regional, failover)),
                **properties,
            )

    def _endpoint_check(self, failover: Failover) -> dict[str, Any]:
        """What the region's own records have, so that an alias of them is as healthy as the region.

        Route 53 checks no simple record: each is the only one of its weight. While its check fails it is
        answered all the same, as there is no other.
        """
        check = route53.HealthCheck(
            self,
            "Live",
            type=route53.HealthCheckType.HTTPS,
            fqdn=self._regional_name,
            port=443,
            resource_path=failover.live_path,
            request_interval=CHECK_INTERVAL,
            failure_threshold=CHECK_FAILURES,
        )
        return {"weight": 1, "set_identifier": failover.region, "health_check": check}


def _target(
    load_balancer: elbv2.IApplicationLoadBalancer, regional: route53.RecordSet, failover: Failover | None
) -> route53.IAliasRecordTarget:
    """What the public name leads to; a failover record has to inherit its target's health."""
    if failover is None:
        return targets.LoadBalancerTarget(load_balancer)
    if failover.health == "targets":
        return targets.LoadBalancerTarget(load_balancer, _EvaluatesHealth())
    # Without a health check of its own that name counts as healthy, whatever is behind it.
    return _HealthOf(regional)
