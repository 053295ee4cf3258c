"""Invariants of the network: only the load balancer can be reached, and only over TLS."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from tests.stacks.invariants.resource import Resource, listed, strings

EVERYWHERE = {"0.0.0.0/0", "::/0"}
# The one group that callers anywhere may reach, by the beginning of its logical ID.
OPEN_GROUP = ("Network", "SecurityGroupsLoadBalancer")
OPEN_PORTS = {80, 443}
# TLS 1.2 or 1.3 alone: others of the same family admit 1.0 and 1.1.
_TLS_POLICY = re.compile(r"ELBSecurityPolicy-TLS13-1-[23]-")
BLOCKS = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
PUBLIC_TYPES = {
    "AWS::ECR::PublicRepository",
    "AWS::Lambda::Url",
    "AWS::S3::AccessPoint",
}
# Types whose own policy refuses requests without TLS, and the policy's type and how it names the resource.
TLS_POLICIES = {
    "AWS::S3::Bucket": ("AWS::S3::BucketPolicy", "Bucket"),
    "AWS::SNS::Topic": ("AWS::SNS::TopicPolicy", "Topics"),
    "AWS::SQS::Queue": ("AWS::SQS::QueuePolicy", "Queues"),
}


def only_the_load_balancer_is_open(resource: Resource) -> Iterator[str]:
    """No security group but the load balancer's admits everyone, and that one on two ports."""
    at_the_edge = resource.kind == OPEN_GROUP[0] and resource.logical_id.startswith(OPEN_GROUP[1])
    for rule in _rules(resource, "Ingress"):
        source = rule.get("CidrIp", rule.get("CidrIpv6"))
        if source not in EVERYWHERE:
            continue
        ports = {rule.get("FromPort"), rule.get("ToPort")}
        if not at_the_edge or not ports <= OPEN_PORTS:
            yield f"admits {source} to port {rule.get('FromPort', 'any')}"


def rules_are_described(resource: Resource) -> Iterator[str]:
    """Every security-group rule says what it is for."""
    for direction in ("Ingress", "Egress"):
        for rule in _rules(resource, direction):
            if not rule.get("Description"):
                yield f"{direction.lower()} rule for port {rule.get('FromPort', 'any')} has no description"


def _rules(resource: Resource, direction: str) -> list[Mapping[str, Any]]:
    if resource.type == f"AWS::EC2::SecurityGroup{direction}":
        return [resource.properties]
    if resource.type == "AWS::EC2::SecurityGroup":
        return list(resource.properties.get(f"SecurityGroup{direction}", []))
    return []


def nothing_else_is_public(resource: Resource) -> Iterator[str]:
    """No public addresses, databases, function URLs or repositories; buckets block public access."""
    properties = resource.properties
    if resource.type in PUBLIC_TYPES:
        yield f"is a {resource.type}"
    if resource.type == "AWS::EC2::Subnet" and properties.get("MapPublicIpOnLaunch"):
        yield "gives out public addresses"
    if resource.type == "AWS::RDS::DBInstance" and properties.get("PubliclyAccessible") is not False:
        yield "does not say that it is private"
    if resource.type == "AWS::ECS::Service" and "ENABLED" in strings(
        properties.get("NetworkConfiguration", {})
    ):
        yield "gives its tasks public addresses"
    if resource.type == "AWS::S3::Bucket":
        blocked = properties.get("PublicAccessBlockConfiguration", {})
        yield from (f"has no {block}" for block in BLOCKS if blocked.get(block) is not True)
    if resource.type.endswith("::LoadBalancer") and resource.kind != "Edge":
        yield "is a load balancer outside the edge"


def listeners_speak_tls(resource: Resource) -> Iterator[str]:
    """Plain HTTP is answered with a redirect to HTTPS and nothing else; TLS is 1.2 at least."""
    if resource.type != "AWS::ElasticLoadBalancingV2::Listener":
        return
    properties = resource.properties
    if properties["Protocol"] == "HTTPS":
        policy = properties.get("SslPolicy", "")
        if not _TLS_POLICY.match(policy):
            yield f"has the TLS policy {policy or 'of AWS, which allows TLS 1.0'}"
        if not properties.get("Certificates"):
            yield "has no certificate"
        return
    for action in properties["DefaultActions"]:
        if action["Type"] != "redirect" or action["RedirectConfig"].get("Protocol") != "HTTPS":
            yield f"answers plain {properties['Protocol']} with {action['Type']}"


def storage_refuses_plaintext(resource: Resource) -> Iterator[str]:
    """Buckets, topics and queues refuse every request without TLS."""
    if resource.type not in TLS_POLICIES:
        return
    policy_type, names = TLS_POLICIES[resource.type]
    reference = {"Ref": resource.logical_id}
    for policy in resource.siblings(policy_type):
        if reference in listed(policy[names]) and any(map(_refuses_plaintext, _statements(policy))):
            return
    yield "has no policy that refuses requests without TLS"


def _statements(policy: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return listed(policy["PolicyDocument"]["Statement"])


def _refuses_plaintext(statement: Mapping[str, Any]) -> bool:
    test = statement.get("Condition", {}).get("Bool", {}).get("aws:SecureTransport")
    everyone = statement.get("Principal") in ("*", {"AWS": "*"})
    return statement["Effect"] == "Deny" and everyone and test in ("false", False)


def stores_speak_tls(resource: Resource) -> Iterator[str]:
    """Database and cache refuse connections without TLS."""
    properties = resource.properties
    required = {
        "AWS::ElastiCache::ReplicationGroup": properties.get("TransitEncryptionMode") == "required",
        "AWS::RDS::DBParameterGroup": str(properties.get("Parameters", {}).get("rds.force_ssl")) == "1",
        # The default parameters do not force TLS.
        "AWS::RDS::DBInstance": "DBParameterGroupName" in properties,
    }
    if not required.get(resource.type, True):
        yield "takes connections without TLS"


CHECKS = (
    only_the_load_balancer_is_open,
    rules_are_described,
    nothing_else_is_public,
    listeners_speak_tls,
    storage_refuses_plaintext,
    stores_speak_tls,
)
