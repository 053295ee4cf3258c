"""Manifests: objects as the Kubernetes API reads them."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

Manifest = Mapping[str, Any]
# On every object that the platform applies: what carries it and is no longer in the manifests is removed.
MANAGED_BY = {"app.kubernetes.io/managed-by": "gatehouse"}
# Who owns the fields that the platform sets, in Kubernetes' record of them.
FIELD_MANAGER = "gatehouse"
# The metadata by which a stack's manifests lie in the cloud assembly, and the output that has their digest.
METADATA = "gatehouse:manifests"
DIGEST_OUTPUT = "ManifestsDigest"


class ObjectId(NamedTuple):
    """What names an object in a cluster; the namespace is empty for one that is in none."""

    api_version: str
    kind: str
    namespace: str
    name: str


def labels(name: str, component: str) -> dict[str, str]:
    """The labels of an object that the platform applies."""
    return {
        **MANAGED_BY,
        "app.kubernetes.io/name": name,
        "app.kubernetes.io/component": component,
        "app.kubernetes.io/part-of": "gatehouse",
    }


def digest(value: Mapping[str, Any]) -> str:
    """A short name for a part of a manifest: the same for the same, whatever the order of its fields."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:10]


def object_id(manifest: Manifest) -> ObjectId:
    """The ID of a manifest's object."""
    metadata = manifest["metadata"]
    return ObjectId(manifest["apiVersion"], manifest["kind"], metadata.get("namespace", ""), metadata["name"])
