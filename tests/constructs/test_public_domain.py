"""The public names: one that callers use, and one for this region alone."""

from typing import Any, Literal

import pytest
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk import aws_route53 as route53
from aws_cdk.assertions import Template

from gatehouse import names
from gatehouse.public_domain import Failover, PublicDomain
from tests.constructs.conftest import ACCOUNT, REGION
from tests.constructs.parts import new_stack, only

NAME = "api.example.com"
REGIONAL_NAME = f"api.{REGION}.example.com"
EXISTING = f"arn:aws:acm:{REGION}:{ACCOUNT}:certificate/existing"


def _template(
    *, dual_stack: bool = False, existing: bool = False, failover: Failover | None = None
) -> Template:
    stack = new_stack()
    domain = PublicDomain(
        stack,
        "Domain",
        domain_name=NAME,
        regional_name=REGIONAL_NAME,
        hosted_zone=route53.HostedZone.from_hosted_zone_attributes(
            stack, "Zone", hosted_zone_id="Z1", zone_name="example.com"
        ),
        certificate=acm.Certificate.from_certificate_arn(stack, "Existing", EXISTING) if existing else None,
    )
    load_balancer = elbv2.ApplicationLoadBalancer.from_application_load_balancer_attributes(
        stack,
        "LoadBalancer",
        load_balancer_arn=f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:loadbalancer/app/one/1",
        load_balancer_canonical_hosted_zone_id="Z-OF-LOAD-BALANCERS",
        load_balancer_dns_name="one.elb.amazonaws.com",
        security_group_id="sg-1",
    )
    domain.point_to(load_balancer, dual_stack=dual_stack, failover=failover)
    if existing:
        assert domain.certificate.certificate_arn == EXISTING
    return Template.from_stack(stack)


@pytest.fixture(scope="module")
def template() -> Template:
    return _template()


def _properties(template: Template) -> list[dict[str, Any]]:
    return [record["Properties"] for record in template.find_resources("AWS::Route53::RecordSet").values()]


def _records(template: Template) -> dict[tuple[str, str], Any]:
    return {
        (record["Name"], record["Type"]): record["AliasTarget"]["DNSName"] for record in _properties(template)
    }


def test_one_certificate_is_for_both_names_and_renews_itself_through_dns(template: Template) -> None:
    certificate = only(template, "CertificateManager::Certificate")
    assert certificate["DomainName"] == NAME
    assert certificate["SubjectAlternativeNames"] == [REGIONAL_NAME]
    assert certificate["ValidationMethod"] == "DNS"
    assert certificate["DomainValidationOptions"] == [
        {"DomainName": name, "HostedZoneId": "Z1"} for name in (NAME, REGIONAL_NAME)
    ]


def test_both_names_lead_to_the_load_balancer(template: Template) -> None:
    target = "dualstack.one.elb.amazonaws.com"
    assert _records(template) == {(f"{name}.", "A"): target for name in (NAME, REGIONAL_NAME)}
    assert not any("Failover" in record for record in _properties(template))


def test_they_lead_to_its_ipv6_addresses_where_it_has_any() -> None:
    kinds = {(f"{name}.", kind) for name in (NAME, REGIONAL_NAME) for kind in ("A", "AAAA")}
    assert _records(_template(dual_stack=True)).keys() == kinds


def test_a_certificate_that_is_already_there_is_taken() -> None:
    assert not _template(existing=True).find_resources("AWS::CertificateManager::Certificate")


def _failover(
    *,
    is_primary: bool = True,
    health_check_id: str | None = "health-check",
    health: Literal["endpoint", "targets", "nothing"] = "targets",
) -> Failover:
    return Failover(
        region=REGION,
        is_primary=is_primary,
        health_check_id=health_check_id,
        health=health,
        live_path="/health/live",
    )


@pytest.mark.parametrize(("is_primary", "part"), [(True, "PRIMARY"), (False, "SECONDARY")])
def test_of_two_regions_each_has_its_part_of_the_public_name_alone(is_primary: bool, part: str) -> None:
    template = _template(dual_stack=True, failover=_failover(is_primary=is_primary))
    public = [record for record in _properties(template) if record["Name"] == f"{NAME}."]
    assert [record["Type"] for record in public] == ["A", "AAAA"]
    for record in public:
        assert record["Failover"] == part
        assert record["SetIdentifier"] == REGION
        assert record["HealthCheckId"] == "health-check"
        # Also without the plan: nobody is sent to a load balancer that has nothing healthy.
        assert record["AliasTarget"]["EvaluateTargetHealth"] is True
        # Between a simple record and this one CloudFormation changes, not replaces: the name is never gone.
        assert record["AliasTarget"]["DNSName"] == "dualstack.one.elb.amazonaws.com"
    regional = [record for record in _properties(template) if record["Name"] == f"{REGIONAL_NAME}."]
    assert len(regional) == 2
    assert not any(record.keys() & {"Failover", "HealthCheckId", "SetIdentifier"} for record in regional)


def test_the_health_check_alone_decides_where_targets_say_nothing_of_the_region() -> None:
    template = _template(failover=_failover(health="nothing"))
    (public,) = [record for record in _properties(template) if record["Name"] == f"{NAME}."]
    assert public["HealthCheckId"] == "health-check"
    # Of a record in the same zone that has no health check: Route 53 takes it for healthy. A failover record
    # that inherits no health at all is none that its API describes.
    (regional,) = template.find_resources(
        "AWS::Route53::RecordSet", {"Properties": {"Name": f"{REGIONAL_NAME}."}}
    )
    assert public["AliasTarget"] == {
        "DNSName": {"Ref": regional},
        "HostedZoneId": "Z1",
        "EvaluateTargetHealth": True,
    }


def test_callers_leave_a_region_that_does_not_answer() -> None:
    template = _template(dual_stack=True, failover=_failover(health="endpoint"))
    (check,) = template.find_resources("AWS::Route53::HealthCheck")
    assert only(template, "Route53::HealthCheck")["HealthCheckConfig"] == {
        "Type": "HTTPS",
        "EnableSNI": True,
        "Inverted": False,
        "MeasureLatency": False,
        "FullyQualifiedDomainName": REGIONAL_NAME,
        "Port": 443,
        "ResourcePath": "/health/live",
        "RequestInterval": 10,
        "FailureThreshold": 3,
    }
    records = template.find_resources("AWS::Route53::RecordSet")
    regional = {
        name: record["Properties"]
        for name, record in records.items()
        if record["Properties"]["Name"] == f"{REGIONAL_NAME}."
    }
    for record in regional.values():
        # Route 53 checks no simple record; the only one of its weight is answered even while its check fails.
        assert (record["Weight"], record["SetIdentifier"]) == (1, REGION)
        assert record["HealthCheckId"] == {"Ref": check}
    public = [record for record in _properties(template) if record["Name"] == f"{NAME}."]
    assert {record["AliasTarget"]["DNSName"]["Ref"] for record in public} == regional.keys()
    for record in public:
        assert record["HealthCheckId"] == "health-check"
        assert record["AliasTarget"]["EvaluateTargetHealth"] is True


def test_before_there_is_a_plan_the_load_balancer_alone_decides() -> None:
    template = _template(failover=_failover(health_check_id=None))
    (public,) = [record for record in _properties(template) if record["Name"] == f"{NAME}."]
    assert "HealthCheckId" not in public
    assert public["AliasTarget"]["EvaluateTargetHealth"] is True


def test_the_records_are_the_same_resources_with_and_without_a_second_region(template: Template) -> None:
    """In another resource a record would be removed before the other is made: the name would be gone."""
    records = "AWS::Route53::RecordSet"
    with_second = _template(failover=_failover())
    assert with_second.find_resources(records).keys() == template.find_resources(records).keys()


def test_the_regional_name_lies_in_the_same_zone_as_the_name() -> None:
    assert names.regional_domain("api.example.com", "us-east-1") == "api.us-east-1.example.com"
    assert names.regional_domain("api.dev.example.com", "eu-west-1") == "api.eu-west-1.dev.example.com"
