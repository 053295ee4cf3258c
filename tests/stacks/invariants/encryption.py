"""Invariants of encryption: what is stored is encrypted with the platform's own keys."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tests.stacks.invariants.resource import KEYS, Resource


def _at(*path: str) -> Callable[[Mapping[str, Any]], Any]:
    def value(properties: Mapping[str, Any]) -> Any:
        found: Any = properties
        for name in path:
            found = found.get(name) if isinstance(found, Mapping) else None
        return found

    return value


def _bucket_key(properties: Mapping[str, Any]) -> Any:
    rules = properties.get("BucketEncryption", {}).get("ServerSideEncryptionConfiguration", [])
    return next((_at("ServerSideEncryptionByDefault", "KMSMasterKeyID")(rule) for rule in rules), None)


# Type → the key that it is encrypted with.
ENCRYPTED: Mapping[str, Callable[[Mapping[str, Any]], Any]] = {
    "AWS::Backup::BackupVault": _at("EncryptionKeyArn"),
    "AWS::CloudTrail::Trail": _at("KMSKeyId"),
    "AWS::ECR::Repository": _at("EncryptionConfiguration", "KmsKey"),
    "AWS::ElastiCache::ReplicationGroup": _at("KmsKeyId"),
    "AWS::Logs::LogGroup": _at("KmsKeyId"),
    "AWS::RDS::DBInstance": _at("KmsKeyId"),
    "AWS::S3::Bucket": _bucket_key,
    "AWS::SNS::Topic": _at("KmsMasterKeyId"),
    "AWS::SQS::Queue": _at("KmsMasterKeyId"),
    "AWS::SecretsManager::Secret": _at("KmsKeyId"),
}
# Logical IDs that begin so, of all stacks or of one → why there is no key of ours.
EXCEPTIONS = {
    "AccessLogs": "neither load balancers nor S3 deliver access logs to a bucket with a key of ours",
    "ReplicaLog": "Cognito delivers to no log group with a key of ours",
    "Standby-Keys/PrimaryFunction": "it looks up the keys that ours are copies of, before there are any",
    "UsersLog": "Cognito delivers to no log group with a key of ours",
}
# What makes a key of ours: an export of the stack Keys, or a key of the same template.
_EXPORT = re.compile(r"-Keys:Exports\w*EncryptionKeys(Data|Logs)")
_KEY_PROPERTY = re.compile(r"kms.*key|EncryptionKey|KmsKey", re.IGNORECASE)


def stored_data_is_encrypted_with_our_keys(resource: Resource) -> Iterator[str]:
    """Every store of data names a key of ours."""
    place = f"{resource.stack}/{resource.logical_id}"
    if resource.type not in ENCRYPTED or any(
        name.startswith(tuple(EXCEPTIONS)) for name in (resource.logical_id, place)
    ):
        return
    key = ENCRYPTED[resource.type](resource.properties)
    if key is None:
        yield "names no key"
    elif not _is_ours(key, resource):
        yield f"is encrypted with {json.dumps(key)}"


def no_other_keys_are_named(resource: Resource) -> Iterator[str]:
    """Wherever a property names a key, of whatever type, it is ours."""
    for name, value in resource.properties.items():
        is_key = _KEY_PROPERTY.search(name) and not isinstance(value, bool)
        if is_key and isinstance(value, str | Mapping) and not _is_ours(value, resource):
            yield f"has {name} {json.dumps(value)}"


def _is_ours(key: Any, resource: Resource) -> bool:
    text = json.dumps(key)
    if _EXPORT.search(text):
        return True
    own = [
        logical_id for logical_id, other in resource.template["Resources"].items() if other["Type"] in KEYS
    ]
    return any(f'"{logical_id}"' in text for logical_id in own)


def keys_rotate(resource: Resource) -> Iterator[str]:
    """Our keys rotate, their copies with them, and a deletion can be taken back for as long as KMS offers."""
    if resource.type not in KEYS:
        return
    if resource.type == "AWS::KMS::Key" and resource.properties.get("EnableKeyRotation") is not True:
        yield "does not rotate"
    if resource.properties.get("PendingWindowInDays") != 30:
        yield "can be gone before 30 days"


def stores_are_encrypted_at_all(resource: Resource) -> Iterator[str]:
    """Naming a key is not enough where encryption has a switch of its own; a replica has its source's."""
    switches = {
        "AWS::ElastiCache::ReplicationGroup": "AtRestEncryptionEnabled",
        "AWS::RDS::DBInstance": "StorageEncrypted",
    }
    switch = switches.get(resource.type)
    if "SourceDBInstanceIdentifier" in resource.properties:
        return
    if switch and resource.properties.get(switch) is not True:
        yield f"has no {switch}"


CHECKS = (
    stored_data_is_encrypted_with_our_keys,
    no_other_keys_are_named,
    keys_rotate,
    stores_are_encrypted_at_all,
)
