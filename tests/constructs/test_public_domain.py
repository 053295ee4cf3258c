"""The public names: one that callers use, and one for this region alone."""

from typing import Any

import pytest
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk import aws_route53 as route53
from aws_cdk.assertions import Template

from gatehouse import names
from gatehouse.public_domain import PublicDomain
from tests.constructs.conftest import ACCOUNT, REGION
from tests.constructs.parts import new_stack, only

NAME = "api.example.com"
REGIONAL_NAME = f"api.{REGION}.example.com"
EXISTING = f"arn:aws:acm:{REGION}:{ACCOUNT}:certificate/existing"


def _template(*, dual_stack: bool = False, existing: bool = False) -> Template:
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
    domain.point_to(load_balancer, dual_stack=dual_stack)
    if existing:
        assert domain.certificate.certificate_arn == EXISTING
    return Template.from_stack(stack)


@pytest.fixture(scope="module")
def template() -> Template:
    return _template()


def _records(template: Template) -> dict[tuple[str, str], Any]:
    records = [record["Properties"] for record in template.find_resources("AWS::Route53::RecordSet").values()]
    return {(record["Name"], record["Type"]): record["AliasTarget"]["DNSName"] for record in records}


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


def test_they_lead_to_its_ipv6_addresses_where_it_has_any() -> None:
    kinds = {(f"{name}.", kind) for name in (NAME, REGIONAL_NAME) for kind in ("A", "AAAA")}
    assert _records(_template(dual_stack=True)).keys() == kinds


def test_a_certificate_that_is_already_there_is_taken() -> None:
    assert not _template(existing=True).find_resources("AWS::CertificateManager::Certificate")


def test_the_regional_name_lies_in_the_same_zone_as_the_name() -> None:
    assert names.regional_domain("api.example.com", "us-east-1") == "api.us-east-1.example.com"
    assert names.regional_domain("api.dev.example.com", "eu-west-1") == "api.eu-west-1.dev.example.com"
