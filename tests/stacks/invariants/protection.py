"""Invariants of what must not be lost: how it is kept, and how it is found again."""

from collections.abc import Iterator, Mapping
from typing import Any

from tests.stacks.invariants.resource import KEYS, Resource

KEPT = {"Retain", "RetainExceptOnCreate"}
# Type → what its properties must say where the environment is protected.
PROTECTIONS: Mapping[str, Mapping[str, Any]] = {
    "AWS::Cognito::UserPool": {"DeletionProtection": "ACTIVE"},
    "AWS::ECR::Repository": {"EmptyOnDelete": False, "ImageTagMutability": "IMMUTABLE"},
    "AWS::RDS::DBInstance": {"DeletionProtection": True, "DeleteAutomatedBackups": False},
    "AWS::S3::Bucket": {"VersioningConfiguration": {"Status": "Enabled"}},
}
# What CloudFormation would otherwise remove with its stack, and no deployment brings back.
STATEFUL = {
    *PROTECTIONS,
    "AWS::Backup::BackupVault",
    *KEYS,
    "AWS::Logs::LogGroup",
    "AWS::SecretsManager::Secret",
}
LOAD_BALANCER_ATTRIBUTES = {
    "deletion_protection.enabled": "true",
    "routing.http.drop_invalid_header_fields.enabled": "true",
    "access_logs.s3.enabled": "true",
}
TAGS = {"environment", "project"}


def stateful_resources_are_kept(resource: Resource) -> Iterator[str]:
    """Data outlives its stack and its replacement."""
    if resource.type not in STATEFUL:
        return
    for policy in ("DeletionPolicy", "UpdateReplacePolicy"):
        if resource.definition.get(policy) not in KEPT:
            yield f"has the {policy} {resource.definition.get(policy)}"


def stateful_resources_are_protected(resource: Resource) -> Iterator[str]:
    """What has a protection of its own against deletion has it on."""
    for name, value in PROTECTIONS.get(resource.type, {}).items():
        if resource.properties.get(name) != value:
            yield f"has {name} {resource.properties.get(name)}"


def load_balancers_are_protected(resource: Resource) -> Iterator[str]:
    """A load balancer cannot be deleted by mistake, drops what is no HTTP, and logs."""
    if resource.type != "AWS::ElasticLoadBalancingV2::LoadBalancer":
        return
    given = {
        attribute["Key"]: attribute["Value"] for attribute in resource.properties["LoadBalancerAttributes"]
    }
    for name, value in LOAD_BALANCER_ATTRIBUTES.items():
        if given.get(name) != value:
            yield f"has {name} {given.get(name)}"


def stateful_resources_are_tagged(resource: Resource) -> Iterator[str]:
    """What keeps data says whose it is and of which environment."""
    if resource.type not in STATEFUL:
        return
    given = (resource.properties.get(name, {}) for name in ("Tags", "UserPoolTags", "BackupVaultTags"))
    tags = {tag for found in given for tag in _names(found)}
    if not tags >= TAGS:
        yield f"has no tag {', '.join(sorted(TAGS - tags))}"


def _names(tags: Any) -> list[str]:
    return list(tags) if isinstance(tags, Mapping) else [tag["Key"] for tag in tags]


# These hold everywhere, those above them only where stacks are protected against deletion.
CHECKS = (stateful_resources_are_tagged,)
PROTECTED_CHECKS = (
    stateful_resources_are_kept,
    stateful_resources_are_protected,
    load_balancers_are_protected,
)
