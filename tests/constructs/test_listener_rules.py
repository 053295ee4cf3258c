"""The rules that ask who calls before a request is sent on."""

import json
from typing import Any

import pytest
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_cognito as cognito
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk.assertions import Template

from gatehouse.listener_rules import BrowserSignIn, TokenVerification
from gatehouse.service_targets import RULE_PRIORITY
from tests.constructs.conftest import ACCOUNT, REGION
from tests.constructs.parts import imported_vpc, new_stack

ISSUER = f"https://cognito-idp.{REGION}.amazonaws.com/{REGION}_one"
POOL_ARN = f"arn:aws:cognito-idp:{REGION}:{ACCOUNT}:userpool/{REGION}_one"


@pytest.fixture(scope="module")
def template() -> Template:
    stack = new_stack()
    vpc = imported_vpc(stack)
    group = ec2.SecurityGroup(stack, "Group", vpc=vpc, allow_all_outbound=False)
    load_balancer = elbv2.ApplicationLoadBalancer(stack, "LoadBalancer", vpc=vpc, security_group=group)
    certificate = acm.Certificate.from_certificate_arn(
        stack, "Certificate", f"arn:aws:acm:{REGION}:{ACCOUNT}:certificate/one"
    )
    listener = load_balancer.add_listener(
        "Https",
        port=443,
        open=False,
        certificates=[certificate],
        default_action=elbv2.ListenerAction.fixed_response(404),
    )
    targets = elbv2.ApplicationTargetGroup(
        stack, "Targets", vpc=vpc, port=8080, target_type=elbv2.TargetType.IP
    )
    TokenVerification(stack, "Tokens", listener=listener, target_group=targets, issuer=ISSUER)
    BrowserSignIn(
        stack,
        "SignIn",
        listener=listener,
        target_group=targets,
        paths=["/console", "/console/*"],
        user_pool=cognito.UserPool.from_user_pool_arn(stack, "Pool", POOL_ARN),
        client=cognito.UserPoolClient.from_user_pool_client_id(stack, "Client", "client-1"),
        domain=cognito.UserPoolDomain.from_domain_name(stack, "Domain", "sign-in"),
    )
    return Template.from_stack(stack)


def _rules(template: Template) -> list[dict[str, Any]]:
    rules = template.find_resources("AWS::ElasticLoadBalancingV2::ListenerRule").values()
    return sorted((rule["Properties"] for rule in rules), key=lambda rule: int(rule["Priority"]))


def test_both_come_before_the_rule_for_all_paths(template: Template) -> None:
    sign_in, tokens = _rules(template)
    assert sign_in["Conditions"][0]["Field"] == "path-pattern"
    assert tokens["Conditions"][0]["Field"] == "http-header"
    assert sign_in["Priority"] < tokens["Priority"] < RULE_PRIORITY


def test_only_tokens_are_verified_and_keys_are_not(template: Template) -> None:
    _, rule = _rules(template)
    (condition,) = rule["Conditions"]
    assert condition["HttpHeaderConfig"] == {"HttpHeaderName": "Authorization", "Values": ["Bearer eyJ*"]}


def test_a_verified_token_goes_on_to_the_gateway(template: Template) -> None:
    _, rule = _rules(template)
    verify, forward = sorted(rule["Actions"], key=lambda action: int(action["Order"]))
    assert verify["Type"] == "jwt-validation"
    assert verify["JwtValidationConfig"] == {
        "Issuer": ISSUER,
        "JwksEndpoint": f"{ISSUER}/.well-known/jwks.json",
    }
    assert forward["Type"] == "forward"


def test_people_with_a_browser_sign_in_before_they_reach_their_paths(template: Template) -> None:
    rule, _ = _rules(template)
    (condition,) = rule["Conditions"]
    assert condition["PathPatternConfig"] == {"Values": ["/console", "/console/*"]}
    sign_in, forward = sorted(rule["Actions"], key=lambda action: int(action["Order"]))
    assert sign_in["Type"] == "authenticate-cognito"
    config = sign_in["AuthenticateCognitoConfig"]
    assert json.dumps(config["UserPoolArn"]).count("userpool/") == 1
    assert (config["UserPoolClientId"], config["UserPoolDomain"]) == ("client-1", "sign-in")
    # What the action does without being told otherwise: whoever is not signed in is sent to the page.
    assert "OnUnauthenticatedRequest" not in config
    assert forward["Type"] == "forward"


def test_no_rule_opens_a_way_out_by_itself(template: Template) -> None:
    # Every security group is made, with all its rules, in one place.
    (group,) = template.find_resources("AWS::EC2::SecurityGroup").values()
    assert {rule["CidrIp"] for rule in group["Properties"]["SecurityGroupEgress"]} == {"255.255.255.255/32"}
