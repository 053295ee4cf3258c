"""Copies in another region that MiniStack's services can make and its CloudFormation cannot."""

import json
from types import ModuleType
from typing import Any

from ministack.core.responses import get_account_id, get_region, request_scope
from ministack.services import kms

Properties = dict[str, Any]
Attributes = dict[str, str]


def add_copies(provisioners: ModuleType) -> None:
    """Add handlers to MiniStack's table. Raises RuntimeError when it has learnt a type itself."""
    handlers: dict[str, dict[str, Any]] = provisioners._RESOURCE_HANDLERS
    if "AWS::KMS::ReplicaKey" in handlers:
        raise RuntimeError(f"MiniStack provides AWS::KMS::ReplicaKey itself: remove it in {__file__}")
    of_keys = handlers["AWS::KMS::Key"]
    handlers["AWS::KMS::ReplicaKey"] = {
        "create": _create_replica_key,
        "update": of_keys["update"],
        "delete": of_keys["delete"],
    }


def _create_replica_key(_logical_id: str, properties: Properties, _stack_name: str) -> tuple[str, Attributes]:
    """The key with the same ID and material in the stack's region. Raises ValueError as KMS refuses it."""
    region, _, key = properties["PrimaryKeyArn"].split(":", 3)[3].split(":", 2)
    request = {
        "KeyId": key.removeprefix("key/"),
        "ReplicaRegion": get_region(),
        "Policy": json.dumps(properties["KeyPolicy"]),
        "Description": properties.get("Description", ""),
        "Tags": [{"TagKey": tag["Key"], "TagValue": tag["Value"]} for tag in properties.get("Tags", [])],
    }
    with request_scope(get_account_id(), region):
        status, _, body = kms._replicate_key(request)
    answer = json.loads(body)
    if status != 200:
        raise ValueError(f"{answer['__type']}: {answer['message']}")
    replica = answer["ReplicaKeyMetadata"]
    return replica["KeyId"], {"KeyId": replica["KeyId"], "Arn": replica["Arn"]}
