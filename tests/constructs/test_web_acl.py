"""The web application firewall: what it guards, what it answers by default and what it writes down."""

import json
from typing import Any

import pytest
from aws_cdk.assertions import Template

from gateway.request_headers import _CREDENTIAL_HEADERS
from tests.constructs.conftest import ACCOUNT
from tests.constructs.parts import only
from tests.constructs.web_acls import EVERYTHING, KEY_ARN, LOAD_BALANCER_ARN, template_of


@pytest.fixture(scope="module")
def template() -> Template:
    return template_of()


@pytest.fixture(scope="module")
def full() -> Template:
    return template_of(**EVERYTHING)


def test_what_no_rule_refuses_reaches_the_gateway(template: Template) -> None:
    assert only(template, "WAFv2::WebACL")["DefaultAction"] == {"Allow": {}}


def test_it_guards_the_load_balancer(template: Template) -> None:
    assert only(template, "WAFv2::WebACL")["Scope"] == "REGIONAL"
    association = only(template, "WAFv2::WebACLAssociation")
    assert association["ResourceArn"] == LOAD_BALANCER_ARN
    assert association["WebACLArn"]["Fn::GetAtt"][1] == "Arn"


def test_the_load_balancer_slows_bad_addresses_down_while_it_is_attacked(template: Template) -> None:
    config = only(template, "WAFv2::WebACL")["OnSourceDDoSProtectionConfig"]
    assert config == {"ALBLowReputationMode": "ACTIVE_UNDER_DDOS"}


def test_no_secret_and_no_prompt_is_written_down(template: Template) -> None:
    protections = only(template, "WAFv2::WebACL")["DataProtectionConfig"]["DataProtections"]
    # No exception: neither for what a rule matched nor for the key that a rate counts by.
    assert all(protection.keys() == {"Action", "Field"} for protection in protections)
    assert {protection["Action"] for protection in protections} == {"SUBSTITUTION"}
    fields = {protection["Field"]["FieldType"]: protection["Field"] for protection in protections}
    assert fields.keys() == {"SINGLE_HEADER", "QUERY_STRING", "BODY"}
    assert set(fields["SINGLE_HEADER"]["FieldKeys"]) == {name.decode() for name in _CREDENTIAL_HEADERS}


def test_every_rule_is_counted_and_none_keeps_samples_of_requests(full: Template) -> None:
    web_acl = only(full, "WAFv2::WebACL")
    for rule in (web_acl, *web_acl["Rules"]):
        assert rule["VisibilityConfig"]["CloudWatchMetricsEnabled"] is True
        assert rule["VisibilityConfig"]["SampledRequestsEnabled"] is False
    metrics = [rule["VisibilityConfig"]["MetricName"] for rule in web_acl["Rules"]]
    assert len(set(metrics)) == len(metrics)


def test_refused_requests_are_logged_encrypted(template: Template) -> None:
    log_group = only(template, "Logs::LogGroup")
    assert log_group["LogGroupName"] == "aws-waf-logs-test"
    assert log_group["KmsKeyId"] == KEY_ARN
    assert log_group["RetentionInDays"] == 30
    logging = only(template, "WAFv2::LoggingConfiguration")
    assert json.dumps(logging["LogDestinationConfigs"]).count(":log-group:") == 1
    assert ":*" not in json.dumps(logging["LogDestinationConfigs"])
    assert logging["LoggingFilter"] == {
        "DefaultBehavior": "DROP",
        "Filters": [
            {
                "Behavior": "KEEP",
                "Requirement": "MEETS_ANY",
                "Conditions": [{"ActionCondition": {"Action": "BLOCK"}}],
            }
        ],
    }


def test_only_log_delivery_of_this_account_writes_the_logs(template: Template) -> None:
    policy = json.loads(_text(only(template, "Logs::ResourcePolicy")["PolicyDocument"]))
    (statement,) = policy["Statement"]
    assert statement["Principal"] == {"Service": "delivery.logs.amazonaws.com"}
    assert statement["Action"] == ["logs:CreateLogStream", "logs:PutLogEvents"]
    assert statement["Condition"] == {"StringEquals": {"aws:SourceAccount": ACCOUNT}}
    (logging,) = template.find_resources("AWS::WAFv2::LoggingConfiguration").values()
    assert any("ResourcePolicy" in dependency for dependency in logging["DependsOn"])


def _text(value: Any) -> str:
    """A joined text with a word in place of each reference."""
    parts = value["Fn::Join"][1] if isinstance(value, dict) else [value]
    return "".join(part if isinstance(part, str) else "reference" for part in parts)
