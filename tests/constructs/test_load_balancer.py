"""The load balancer: what it is, what it logs and what it answers by itself."""

import json
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_ec2 as ec2
from aws_cdk.assertions import Template

from gatehouse.load_balancer import LoadBalancer
from gatehouse.object_store import LogBucket
from tests.constructs.conftest import ACCOUNT, REGION
from tests.constructs.parts import imported_vpc, new_stack, only


def _template(**options: Any) -> Template:
    stack = new_stack()
    LoadBalancer(
        stack,
        "LoadBalancer",
        vpc=imported_vpc(stack),
        subnets=ec2.SubnetSelection(subnet_group_name="public"),
        security_group=ec2.SecurityGroup.from_security_group_id(stack, "Group", "sg-1", mutable=False),
        certificate=acm.Certificate.from_certificate_arn(
            stack, "Certificate", f"arn:aws:acm:{REGION}:{ACCOUNT}:certificate/one"
        ),
        logs=LogBucket(stack, "Logs", retention=cdk.Duration.days(30)).bucket,
        **{"internet_facing": True, "dual_stack": False, "deletion_protection": True} | options,
    )
    return Template.from_stack(stack)


@pytest.fixture(scope="module")
def template() -> Template:
    return _template()


def _attributes(template: Template) -> dict[str, Any]:
    listed = only(template, "ElasticLoadBalancingV2::LoadBalancer")["LoadBalancerAttributes"]
    return {attribute["Key"]: attribute["Value"] for attribute in listed}


def _listeners(template: Template) -> dict[int, dict[str, Any]]:
    listeners = template.find_resources("AWS::ElasticLoadBalancingV2::Listener").values()
    return {listener["Properties"]["Port"]: listener["Properties"] for listener in listeners}


def test_it_speaks_tls_1_3_with_post_quantum_keys(template: Template) -> None:
    listener = _listeners(template)[443]
    assert listener["Protocol"] == "HTTPS"
    assert listener["SslPolicy"] == "ELBSecurityPolicy-TLS13-1-2-Res-PQ-2025-09"
    assert len(listener["Certificates"]) == 1


def test_plain_http_is_redirected_and_never_served(template: Template) -> None:
    listeners = _listeners(template)
    assert listeners.keys() == {80, 443}
    (redirect,) = listeners[80]["DefaultActions"]
    assert redirect["Type"] == "redirect"
    assert redirect["RedirectConfig"] == {"Port": "443", "Protocol": "HTTPS", "StatusCode": "HTTP_301"}


def test_what_no_rule_takes_is_not_found_in_the_shape_of_the_api_s_errors(template: Template) -> None:
    (default,) = _listeners(template)[443]["DefaultActions"]
    response = default["FixedResponseConfig"]
    assert (response["StatusCode"], response["ContentType"]) == ("404", "application/json")
    assert json.loads(response["MessageBody"])["error"]["type"] == "invalid_request_error"


def test_answers_name_no_server_and_tell_browsers_to_stay_with_tls(template: Template) -> None:
    attributes = {entry["Key"]: entry["Value"] for entry in _listeners(template)[443]["ListenerAttributes"]}
    assert attributes == {
        "routing.http.response.server.enabled": "false",
        "routing.http.response.strict_transport_security.header_value": "max-age=31536000",
        "routing.http.response.x_content_type_options.header_value": "nosniff",
    }


def test_requests_that_two_parsers_could_read_differently_are_refused(template: Template) -> None:
    attributes = _attributes(template)
    assert attributes["routing.http.drop_invalid_header_fields.enabled"] == "true"
    assert attributes["routing.http.desync_mitigation_mode"] == "strictest"


def test_the_caller_s_address_is_added_to_what_the_caller_wrote(template: Template) -> None:
    assert _attributes(template)["routing.http.xff_header_processing.mode"] == "append"


def test_nothing_passes_while_the_firewall_cannot_be_asked(template: Template) -> None:
    # The attribute's default.
    assert _attributes(template).get("waf.fail_open.enabled", "false") == "false"


def test_it_serves_all_zones_evenly_and_a_zone_can_be_left(template: Template) -> None:
    attributes = _attributes(template)
    assert attributes["load_balancing.cross_zone.enabled"] == "true"
    assert attributes["zonal_shift.config.enabled"] == "true"


@pytest.mark.parametrize("kind", ["access_logs", "connection_logs", "health_check_logs"])
def test_it_may_write_each_of_its_logs_below_a_prefix_of_its_own(template: Template, kind: str) -> None:
    attributes = _attributes(template)
    assert attributes[f"{kind}.s3.enabled"] == "true"
    (bucket,) = template.find_resources("AWS::S3::Bucket")
    assert attributes[f"{kind}.s3.bucket"] == {"Ref": bucket}
    prefixes = [value for key, value in attributes.items() if key.endswith(".s3.prefix")]
    assert len(set(prefixes)) == len(prefixes) == 3
    place = f"/{attributes[f'{kind}.s3.prefix']}/AWSLogs/{ACCOUNT}/*"
    statements = only(template, "S3::BucketPolicy")["PolicyDocument"]["Statement"]
    granted = [
        statement
        for statement in statements
        if statement["Effect"] == "Allow"
        and "s3:PutObject" in statement["Action"]
        and place in json.dumps(statement["Resource"])
    ]
    assert granted, place
    assert all(statement["Principal"].keys() <= {"Service", "AWS"} for statement in granted)


def test_health_check_logs_come_from_the_load_balancing_service(template: Template) -> None:
    statements = only(template, "S3::BucketPolicy")["PolicyDocument"]["Statement"]
    (granted,) = (s for s in statements if "health-checks/" in json.dumps(s["Resource"]))
    assert granted["Principal"] == {"Service": "logdelivery.elasticloadbalancing.amazonaws.com"}
    assert granted["Action"] == "s3:PutObject"


def test_the_policy_of_the_bucket_is_there_before_the_load_balancer_writes(template: Template) -> None:
    (policy,) = template.find_resources("AWS::S3::BucketPolicy")
    (load_balancer,) = template.find_resources("AWS::ElasticLoadBalancingV2::LoadBalancer").values()
    assert policy in load_balancer["DependsOn"]


@pytest.mark.parametrize("protected", [True, False])
def test_it_is_protected_as_the_environment_is(protected: bool) -> None:
    attributes = _attributes(_template(deletion_protection=protected))
    assert attributes["deletion_protection.enabled"] == str(protected).lower()


@pytest.mark.parametrize(("internet_facing", "scheme"), [(True, "internet-facing"), (False, "internal")])
def test_it_faces_the_internet_or_the_vpc(internet_facing: bool, scheme: str) -> None:
    template = _template(internet_facing=internet_facing)
    assert only(template, "ElasticLoadBalancingV2::LoadBalancer")["Scheme"] == scheme


@pytest.mark.parametrize(("dual_stack", "expected"), [(True, "dualstack"), (False, "ipv4")])
def test_it_has_addresses_of_both_kinds_or_one(dual_stack: bool, expected: str) -> None:
    template = _template(dual_stack=dual_stack)
    assert only(template, "ElasticLoadBalancingV2::LoadBalancer")["IpAddressType"] == expected
