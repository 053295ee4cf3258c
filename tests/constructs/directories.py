"""User directories to look at: each is synthesized once for all tests of a file."""

import json
from collections.abc import Mapping
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_cognito as cognito
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk.assertions import Template

from gatehouse.user_directory import Copy, Membership, OwnDomain, SignInPage, UserDirectory
from tests.constructs.conftest import ACCOUNT, REGION, ROOT

KEY_ARN = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/imported"
PAGE = SignInPage(
    prefix="gatehouse-test-111111111111",
    host="gatehouse-test-111111111111.auth.eu-central-1.amazoncognito.com",
    own_domain=None,
)
OWN_DOMAIN = OwnDomain(
    name="auth.gatehouse.example.com",
    certificate_arn="arn:aws:acm:us-east-1:111111111111:certificate/00000000-0000-0000-0000-000000000000",
)
STRICT: Mapping[str, Any] = {
    "allowed_domains": (),
    "self_sign_up": False,
    "providers": (),
    "mfa_required": True,
    "threat_protection": True,
    "session": cdk.Duration.hours(12),
}


class Resources:
    """The resources of a template."""

    def __init__(self, stack: cdk.Stack) -> None:
        self.by_id: Mapping[str, dict[str, Any]] = Template.from_stack(stack).to_json()["Resources"]

    def properties(self, resource_type: str) -> list[dict[str, Any]]:
        """The properties of each resource of a type."""
        return [r.get("Properties", {}) for r in self.by_id.values() if r["Type"] == resource_type]

    def named(self, part: str, resource_type: str) -> dict[str, Any]:
        """The properties of the only resource of a type with `part` in its logical ID."""
        (found,) = (r for name, r in self.by_id.items() if part in name and r["Type"] == resource_type)
        properties: dict[str, Any] = found["Properties"]
        return properties


def new_stack() -> cdk.Stack:
    """An empty stack with the app's feature flags."""
    flags = json.loads((ROOT / "cdk.json").read_text(encoding="utf-8"))["context"]
    app = cdk.App(context=flags, builtin_cloud_formation_validation=False, analytics_reporting=False)
    return cdk.Stack(app, "Stack", env=cdk.Environment(account=ACCOUNT, region=REGION))


def directory(
    *,
    page: SignInPage = PAGE,
    machine_names: tuple[str, ...] = (),
    mail: cognito.UserPoolEmail | None = None,
    removal_policy: cdk.RemovalPolicy = cdk.RemovalPolicy.RETAIN,
    copied_to: str | None = None,
    **membership: Any,
) -> Resources:
    """The template of a user directory: the strictest one, but for what is given."""
    stack = new_stack()
    key = kms.Key.from_key_arn(stack, "LogKey", KEY_ARN)
    UserDirectory(
        stack,
        "Users",
        page=page,
        membership=Membership(**{**STRICT, **membership}),
        machine_names=machine_names,
        console_url="https://api.gatehouse.example.com",
        platform_name="Gatehouse test",
        mail=mail,
        log_group_name="/aws/vendedlogs/gatehouse-test/sign-in",
        log_key=key,
        log_retention=logs.RetentionDays.ONE_YEAR,
        deletion_protection=True,
        removal_policy=removal_policy,
        copy=Copy(region=copied_to, key=key) if copied_to else None,
    )
    return Resources(stack)
