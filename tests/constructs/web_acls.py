"""Web ACLs for the files that test them."""

from ipaddress import ip_network
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk.assertions import Template

from gatehouse.web_acl import WebAcl
from gatehouse.web_acl_policy import WebAclPolicy
from tests.constructs.conftest import ACCOUNT, REGION
from tests.constructs.parts import new_stack

KEY_ARN = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/logs"
LOAD_BALANCER_ARN = f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:loadbalancer/app/one/1"
FREE_TEXT_PATHS = ("/v1/chat/completions", "/openai/deployments/")
# All that can be turned on, but for the countries, of which only one list may be filled.
EVERYTHING = {
    "trusted_networks": [ip_network("198.51.100.0/24"), ip_network("2001:db8:1::/48")],
    "blocked_networks": [ip_network("192.0.2.0/24"), ip_network("2001:db8:2::/48")],
    "allowed_countries": ["DE", "FR"],
    "block_anonymous_networks": True,
    "bot_control": True,
}


def template_of(**policy: Any) -> Template:
    """The template of a stack with a web ACL; `policy` is what differs from a policy of the fewest rules."""
    stack = new_stack()
    WebAcl(
        stack,
        "WebAcl",
        load_balancer=elbv2.ApplicationLoadBalancer.from_application_load_balancer_attributes(
            stack, "LoadBalancer", load_balancer_arn=LOAD_BALANCER_ARN, security_group_id="sg-1"
        ),
        policy=WebAclPolicy(
            **{
                "free_text_paths": FREE_TEXT_PATHS,
                "requests_per_5_minutes_per_address": 1000,
                "requests_per_5_minutes_per_key": 3000,
                **policy,
            }
        ),
        log_group_name="aws-waf-logs-test",
        log_key=kms.Key.from_key_arn(stack, "Key", KEY_ARN),
        log_retention=logs.RetentionDays.ONE_MONTH,
        removal_policy=cdk.RemovalPolicy.DESTROY,
    )
    return Template.from_stack(stack)
