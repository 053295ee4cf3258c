"""Manifests: objects as the Kubernetes API reads them."""

from collections.abc import Mapping
from typing import Any, NamedTuple

Manifest = Mapping[str, Any]
# On every object that the platform applies: what carries it and is no longer in the manifests is removed.
MANAGED_BY = {"app.kubernetes.io/managed-by": "gatehouse"}
# Who owns the fields that the platform sets, in Kubernetes' record of them.
FIELD_MANAGER = "gatehouse"


class ObjectId(NamedTuple):
    """What names an object in a cluster; the namespace is empty for one that is in none."""

    api_version: str
    kind: str
    namespace: str
    name: str


def object_id(manifest: Manifest) -> ObjectId:
    """The ID of a manifest's object."""
    metadata = manifest["metadata"]
    return ObjectId(manifest["apiVersion"], manifest["kind"], metadata.get("namespace", ""), metadata["name"])
