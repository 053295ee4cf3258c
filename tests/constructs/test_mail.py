from typing import Any

import pytest
from aws_cdk import RemovalPolicy
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_route53 as route53

from gatehouse.mail import MailDomain
from tests.constructs.directories import KEY_ARN, Resources, new_stack

TOPIC = "arn:aws:sns:eu-central-1:111111111111:gatehouse-test-alarms"
RECORD = "AWS::Route53::RecordSet"


@pytest.fixture(scope="module")
def resources() -> Resources:
    stack = new_stack()
    MailDomain(
        stack,
        "Mail",
        domain="mail.gatehouse.example.com",
        hosted_zone=route53.HostedZone.from_hosted_zone_attributes(
            stack, "Zone", hosted_zone_id="Z1", zone_name="gatehouse.example.com"
        ),
        alarm_topic_arn=TOPIC,
        log_key=kms.Key.from_key_arn(stack, "LogKey", KEY_ARN),
        log_retention=logs.RetentionDays.ONE_MONTH,
        removal_policy=RemovalPolicy.DESTROY,
    )
    return Resources(stack)


@pytest.fixture(scope="module")
def identity(resources: Resources) -> dict[str, Any]:
    return resources.named("MailIdentity", "AWS::SES::EmailIdentity")


def test_mail_is_signed_with_a_long_key(resources: Resources, identity: dict[str, Any]) -> None:
    assert identity["EmailIdentity"] == "mail.gatehouse.example.com"
    assert identity["DkimSigningAttributes"] == {"NextSigningKeyLength": "RSA_2048_BIT"}
    keys = [record for record in resources.properties(RECORD) if record["Type"] == "CNAME"]
    assert [record["HostedZoneId"] for record in keys] == ["Z1"] * 3
    for index, record in enumerate(keys, start=1):
        name, dot = record["Name"]["Fn::Join"][1]
        assert name["Fn::GetAtt"][1] == f"DkimDNSTokenName{index}"
        # Without it the zone's name would be appended once more.
        assert dot == "."
        (value,) = record["ResourceRecords"]
        assert value["Fn::GetAtt"][1] == f"DkimDNSTokenValue{index}"


def test_bounces_come_back_to_a_domain_that_spf_covers(
    resources: Resources, identity: dict[str, Any]
) -> None:
    assert identity["MailFromAttributes"]["MailFromDomain"] == "bounce.mail.gatehouse.example.com"
    records = {
        record["Type"]: (record["Name"], record["ResourceRecords"])
        for record in resources.properties(RECORD)
        if record["Type"] != "CNAME"
    }
    assert records == {
        "MX": ("bounce.mail.gatehouse.example.com.", ["10 feedback-smtp.eu-central-1.amazonses.com"]),
        "TXT": ("bounce.mail.gatehouse.example.com.", ['"v=spf1 include:amazonses.com -all"']),
    }


def test_mail_leaves_over_tls_and_not_to_who_does_not_want_it(
    resources: Resources, identity: dict[str, Any]
) -> None:
    ((name, resource),) = (
        (name, r) for name, r in resources.by_id.items() if r["Type"] == "AWS::SES::ConfigurationSet"
    )
    assert identity["ConfigurationSetAttributes"] == {"ConfigurationSetName": {"Ref": name}}
    configuration = resource["Properties"]
    assert configuration["DeliveryOptions"]["TlsPolicy"] == "REQUIRE"
    assert set(configuration["SuppressionOptions"]["SuppressedReasons"]) == {"BOUNCE", "COMPLAINT"}
    assert configuration["ReputationOptions"] == {"ReputationMetricsEnabled": True}


def test_trouble_is_counted(resources: Resources) -> None:
    (destination,) = resources.properties("AWS::SES::ConfigurationSetEventDestination")
    event_destination = destination["EventDestination"]
    assert event_destination["Enabled"] is True
    assert "CloudWatchDestination" in event_destination
    assert {"bounce", "complaint", "reject"} <= set(event_destination["MatchingEventTypes"])


def test_somebody_is_told_before_ses_stops_sending(resources: Resources) -> None:
    alarms = resources.properties("AWS::CloudWatch::Alarm")
    assert {alarm["MetricName"]: alarm["Threshold"] for alarm in alarms} == {
        "Reputation.BounceRate": 0.05,
        "Reputation.ComplaintRate": 0.001,
    }
    for alarm in alarms:
        assert alarm["AlarmActions"] == [TOPIC]
        assert alarm["Dimensions"][0]["Name"] == "ses:configuration-set"


def test_what_sends_waits_until_ses_has_found_the_records(resources: Resources) -> None:
    (verified,) = (r for r in resources.by_id.values() if r["Type"] == "Custom::VerifiedMailDomain")
    assert verified["Properties"]["Domain"] == "mail.gatehouse.example.com"
    records = {name for name, r in resources.by_id.items() if r["Type"] == RECORD}
    assert records <= set(verified["DependsOn"])


def test_it_waits_as_long_as_lambda_can(resources: Resources) -> None:
    (function,) = resources.properties("AWS::Lambda::Function")
    assert function["Timeout"] == 900


def test_it_may_ask_about_this_domain_and_nothing_else(resources: Resources) -> None:
    (policy,) = resources.properties("AWS::IAM::Policy")
    statements = {str(s["Action"]): s["Resource"] for s in policy["PolicyDocument"]["Statement"]}
    assert statements.keys() == {"ses:GetEmailIdentity", "['logs:CreateLogStream', 'logs:PutLogEvents']"}
    prefix, domain = statements["ses:GetEmailIdentity"]["Fn::Join"][1]
    assert prefix == "arn:aws:ses:eu-central-1:111111111111:identity/"
    assert list(domain) == ["Ref"]
    assert "LogGroup" in str(statements["['logs:CreateLogStream', 'logs:PutLogEvents']"])
