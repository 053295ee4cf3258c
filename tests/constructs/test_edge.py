from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_route53 as route53

from gatehouse.load_balancer import LoadBalancer
from gatehouse.object_store import LogBucket
from gatehouse.public_domain import PublicDomain
from gatehouse.web_acl import WebAcl
from tests.constructs.conftest import Properties

# What AWS's managed groups would refuse in a body, which prompts hold every day.
BODY_RULES = {
    "AWSManagedRulesCommonRuleSet": {
        "SizeRestrictions_BODY",
        "CrossSiteScripting_BODY",
        "GenericLFI_BODY",
        "GenericRFI_BODY",
        "EC2MetaDataSSRF_BODY",
    },
    "AWSManagedRulesKnownBadInputsRuleSet": {
        "JavaDeserializationRCE_BODY",
        "Log4JRCE_BODY",
        "ReactJSRCE_BODY",
    },
}


@pytest.fixture(autouse=True)
def edge(stack: cdk.Stack, vpc: ec2.IVpc, security_group: ec2.ISecurityGroup, key: kms.IKey) -> None:
    zone = route53.HostedZone.from_hosted_zone_attributes(
        stack, "Zone", hosted_zone_id="Z1", zone_name="example.com"
    )
    domain = PublicDomain(stack, "Domain", domain_name="api.example.com", hosted_zone=zone)
    edge = LoadBalancer(
        stack,
        "LoadBalancer",
        vpc=vpc,
        subnets=ec2.SubnetSelection(subnet_group_name="public"),
        security_group=security_group,
        certificate=domain.certificate,
        logs=LogBucket(stack, "Logs", retention=cdk.Duration.days(30)).bucket,
        deletion_protection=True,
    )
    domain.point_to(edge.load_balancer)
    WebAcl(
        stack,
        "WebAcl",
        load_balancer=edge.load_balancer,
        requests_per_5_minutes_per_address=1000,
        log_group_name="aws-waf-logs-test",
        log_key=key,
        log_retention=logs.RetentionDays.ONE_MONTH,
        removal_policy=cdk.RemovalPolicy.DESTROY,
    )


def _attributes(properties: Properties) -> dict[str, str]:
    (load_balancer,) = properties("AWS::ElasticLoadBalancingV2::LoadBalancer")
    return {entry["Key"]: entry["Value"] for entry in load_balancer["LoadBalancerAttributes"]}


def _rules(properties: Properties) -> dict[str, dict[str, Any]]:
    (web_acl,) = properties("AWS::WAFv2::WebACL")
    return {rule["Name"]: rule for rule in web_acl["Rules"]}


def test_tls_1_3_with_post_quantum_keys_or_a_redirect_to_it(properties: Properties) -> None:
    listeners = {
        listener["Port"]: listener for listener in properties("AWS::ElasticLoadBalancingV2::Listener")
    }
    assert listeners.keys() == {80, 443}
    assert listeners[443]["SslPolicy"].startswith("ELBSecurityPolicy-TLS13-")
    assert "-PQ-" in listeners[443]["SslPolicy"]
    (redirect,) = listeners[80]["DefaultActions"]
    assert redirect["RedirectConfig"]["Protocol"] == "HTTPS"
    (default,) = listeners[443]["DefaultActions"]
    assert default["FixedResponseConfig"]["StatusCode"] == "404"


def test_a_slow_stream_is_not_cut(properties: Properties) -> None:
    assert int(_attributes(properties)["idle_timeout.timeout_seconds"]) >= 600


def test_the_load_balancer_is_strict_logged_and_protected(properties: Properties) -> None:
    attributes = _attributes(properties)
    for name in (
        "routing.http.drop_invalid_header_fields.enabled",
        "access_logs.s3.enabled",
        "connection_logs.s3.enabled",
        "deletion_protection.enabled",
    ):
        assert attributes[name] == "true", name


def test_the_name_leads_to_the_load_balancer_with_a_certificate_for_it(properties: Properties) -> None:
    (certificate,) = properties("AWS::CertificateManager::Certificate")
    assert certificate["DomainName"] == "api.example.com"
    assert certificate["ValidationMethod"] == "DNS"
    (record,) = properties("AWS::Route53::RecordSet")
    assert (record["Name"], record["Type"]) == ("api.example.com.", "A")


def test_no_rule_blocks_what_a_prompt_says(properties: Properties) -> None:
    for group in ("AWSManagedRulesCommonRuleSet", "AWSManagedRulesKnownBadInputsRuleSet"):
        overrides = _rules(properties)[group]["Statement"]["ManagedRuleGroupStatement"]["RuleActionOverrides"]
        assert all(override["ActionToUse"] == {"Count": {}} for override in overrides)
        assert {override["Name"] for override in overrides} == BODY_RULES[group]


def test_an_address_has_a_rate(properties: Properties) -> None:
    rule = _rules(properties)["RequestsPerAddress"]
    assert rule["Statement"]["RateBasedStatement"] == {
        "AggregateKeyType": "IP",
        "EvaluationWindowSec": 300,
        "Limit": 1000,
    }
    assert rule["Action"]["Block"]["CustomResponse"]["ResponseCode"] == 429


def test_the_firewall_guards_the_load_balancer_and_logs_no_key(properties: Properties, key: kms.IKey) -> None:
    assert len(properties("AWS::WAFv2::WebACLAssociation")) == 1
    (logging,) = properties("AWS::WAFv2::LoggingConfiguration")
    redacted = {field["SingleHeader"]["Name"] for field in logging["RedactedFields"]}
    assert {"authorization", "x-api-key", "api-key"} <= redacted
    (log_group,) = properties("AWS::Logs::LogGroup")
    assert log_group["KmsKeyId"] == key.key_arn
