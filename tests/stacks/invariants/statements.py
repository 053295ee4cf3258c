"""Invariants of policies: who may do what to which resource."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from tests.stacks.invariants.resource import KEYS, Resource, listed, strings

Statement = Mapping[str, Any]

# Policies of principals. All others belong to a resource, and name principals.
IDENTITY_POLICIES = {"AWS::IAM::Policy", "AWS::IAM::ManagedPolicy", "AWS::IAM::RolePolicy"}
# Actions for which IAM knows no resource, or that read what the reader cannot name, and what they are for.
ACTIONS_WITHOUT_RESOURCE = {
    "application-autoscaling:DescribeScalableTargets": "describing takes no resource",
    "application-autoscaling:RegisterScalableTarget": "targets have generated IDs; conditions name the kind",
    "bedrock:DeleteModelInvocationLoggingConfiguration": "an account has one in each region",
    "bedrock:GetModelInvocationLoggingConfiguration": "an account has one in each region",
    "bedrock:PutModelInvocationLoggingConfiguration": "an account has one in each region",
    "cloudwatch:GetMetricData": "metrics belong to no resource",
    "cloudwatch:GetMetricStatistics": "metrics belong to no resource",
    "cloudwatch:PutMetricData": "metrics belong to no resource; a condition names their namespace",
    "ec2:DescribeNetworkInterfaces": "describing takes no resource",
    "ec2:DescribeSubnets": "describing takes no resource",
    "ec2:DescribeTags": "describing takes no resource",
    "ec2:DescribeVolumes": "describing takes no resource",
    "ecr:GetAuthorizationToken": "a token to pull with; pulling itself names the repository",
    "ecs:ListServices": "listing takes no resource; a condition names the clusters",
    "elasticloadbalancing:DescribeListeners": "describing takes no resource",
    "elasticloadbalancing:DescribeRules": "describing takes no resource",
    "elasticloadbalancing:DescribeTargetGroups": "describing takes no resource",
    "elasticloadbalancing:DescribeTargetHealth": "describing takes no resource",
    "rds:DescribeDBInstances": "Region switch evaluates a plan, whatever its databases are called then",
    "servicequotas:GetServiceQuota": "Region switch compares the quotas of two regions",
    "tag:GetResources": "it lists resources by their tags",
    "xray:PutTelemetryRecords": "traces belong to no resource",
    "xray:PutTraceSegments": "traces belong to no resource",
}
# Services that act for whoever configures them and say for whom: without a condition on the source, anyone's
# resource could make them use the role.
DEPUTIES_WITHOUT_SOURCE = {
    "appconfig.amazonaws.com": "AWS documents no source for the role that watches alarms",
    "arc-region-switch.amazonaws.com": "AWS documents no source for the role of a plan",
    "ec2.amazonaws.com": "an instance has the role of its profile, and says no source",
    "ecs.amazonaws.com": "AWS documents no source for the role that shifts traffic",
    "eks.amazonaws.com": "AWS documents no source for the role of a cluster in Auto Mode",
    "lambda.amazonaws.com": "Lambda says no source when it assumes the role of a function",
}
CALLER_CONDITIONS = {
    "aws:sourcearn",
    "aws:sourceaccount",
    "aws:sourceorgid",
    "aws:principalarn",
    "aws:principalaccount",
    "aws:principalorgid",
    "aws:resourceaccount",
    "kms:calleraccount",
    "kms:encryptioncontext:aws:logs:arn",
    "kms:encryptioncontext:sourcearn",
}
# The end of the logical ID of a role that is assumed without a source, and why.
ROLES_WITHOUT_SOURCE = {
    "ExecutionRole": "AWS documents the source for the roles of tasks, not for the role that starts them",
    "ObjectReplicationRole": "AWS documents no source for the role of a bucket's replication",
}
# They may write below the account's own folder of a bucket alone, and AWS documents no source for them.
LOG_DELIVERY = {"delivery.logs.amazonaws.com", "logdelivery.elasticloadbalancing.amazonaws.com"}


def statements(resource: Resource) -> Iterator[Statement]:
    """The statements of every policy in a resource's properties, trust policies among them."""
    yield from _statements_in(resource.properties)


def _statements_in(value: Any) -> Iterator[Statement]:
    if isinstance(value, Mapping):
        if "Effect" in value:
            yield value
        for inner in value.values():
            yield from _statements_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _statements_in(inner)


def _allowing(resource: Resource) -> Iterator[Statement]:
    return (statement for statement in statements(resource) if statement["Effect"] == "Allow")


def condition_keys(statement: Statement) -> set[str]:
    """The keys that a statement's conditions test, in lower case."""
    return {key.lower() for test in statement.get("Condition", {}).values() for key in test}


def _principals(statement: Statement) -> list[Any]:
    principal = statement.get("Principal", {})
    if not isinstance(principal, Mapping):
        return [principal]
    return [one for kind in principal.values() for one in listed(kind)]


def no_wildcard_action(resource: Resource) -> Iterator[str]:
    """No policy allows every action, or every action of a service.

    The account's own administrators may use a key as IAM says: without that nobody could ever change it.
    """
    for statement in _allowing(resource):
        if resource.type in KEYS and _is_own_account(statement):
            continue
        if "NotAction" in statement:
            yield "allows every action but some"
        for action in listed(statement.get("Action", [])):
            if action == "*" or action.endswith(":*"):
                yield f"allows {action}"


def _is_own_account(statement: Statement) -> bool:
    principals = _principals(statement)
    return all(
        isinstance(principal, str) and principal.endswith(":root") for principal in principals
    ) and bool(principals)


def no_wildcard_resource(resource: Resource) -> Iterator[str]:
    """Principals' policies name resources, but for actions that take none."""
    if resource.type not in IDENTITY_POLICIES and resource.type != "AWS::IAM::Role":
        return
    for statement in _allowing(resource):
        if "NotResource" in statement:
            yield "allows every resource but some"
        if "*" not in listed(statement.get("Resource", [])):
            continue
        for action in listed(statement["Action"]):
            if action not in ACTIONS_WITHOUT_RESOURCE:
                yield f"allows {action} on every resource"


def no_principal_is_everyone(resource: Resource) -> Iterator[str]:
    """Resources' policies name whom they allow, or the account or source that it must come from.

    An endpoint's policy allows everyone in the VPC: it names what they may reach.
    """
    for statement in _allowing(resource):
        if resource.type == "AWS::EC2::VPCEndpoint" and "*" not in listed(statement["Resource"]):
            continue
        for principal in _principals(statement):
            if principal == "*" and not condition_keys(statement) & CALLER_CONDITIONS:
                yield f"allows everyone {', '.join(listed(statement.get('Action', 'something')))}"


def services_say_for_whom(resource: Resource) -> Iterator[str]:
    """A service acts only for this account's resources (no confused deputy)."""
    for statement in _allowing(resource):
        principal = statement.get("Principal", {})
        services = listed(principal.get("Service", [])) if isinstance(principal, Mapping) else []
        for service in services:
            excepted = service in DEPUTIES_WITHOUT_SOURCE or _is_excepted_role(resource)
            if service in LOG_DELIVERY:
                excepted = _writes_into_accounts_folder(statement)
            if not excepted and not condition_keys(statement) & CALLER_CONDITIONS:
                yield f"lets {service} act for anyone"


def _is_excepted_role(resource: Resource) -> bool:
    # The CDK ends a logical ID with eight digits of a hash.
    name = resource.logical_id[:-8]
    return resource.type == "AWS::IAM::Role" and name.endswith(tuple(ROLES_WITHOUT_SOURCE))


def _writes_into_accounts_folder(statement: Statement) -> bool:
    folders = ["".join(strings(folder)) for folder in listed(statement["Resource"])]
    within = all(re.search(r"/AWSLogs/\d{12}/\*$", folder) for folder in folders)
    return within or statement["Action"] == "s3:GetBucketAcl"


def other_accounts_need_an_external_id(resource: Resource) -> Iterator[str]:
    """A role that another account may assume is assumed with an external ID."""
    if resource.type != "AWS::IAM::Role":
        return
    for statement in resource.properties["AssumeRolePolicyDocument"]["Statement"]:
        is_assumed = "AWS" in statement["Principal"] and "sts:AssumeRole" in listed(statement["Action"])
        if is_assumed and "sts:externalid" not in condition_keys(statement):
            yield "can be assumed without an external ID"


def functions_are_invoked_by_known_sources(resource: Resource) -> Iterator[str]:
    """A service that may invoke a function does so for one resource or account."""
    if resource.type == "AWS::Lambda::Permission" and not (
        resource.properties.keys() & {"SourceArn", "SourceAccount", "PrincipalOrgID"}
    ):
        yield f"lets {resource.properties['Principal']} invoke it for anyone"


def no_users(resource: Resource) -> Iterator[str]:
    """Nobody gets a long-lived AWS key: people and machines assume roles."""
    if resource.type in {"AWS::IAM::User", "AWS::IAM::AccessKey", "AWS::IAM::Group"}:
        yield f"is a {resource.type}"


CHECKS = (
    no_wildcard_action,
    no_wildcard_resource,
    no_principal_is_everyone,
    services_say_for_whom,
    other_accounts_need_an_external_id,
    functions_are_invoked_by_known_sources,
    no_users,
)
