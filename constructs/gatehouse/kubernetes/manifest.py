"""Manifests: objects as the Kubernetes API reads them."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

Manifest = Mapping[str, Any]
# On every object that the platform applies: one that was there without it is changed, and never removed.
MANAGED_BY = {"app.kubernetes.io/managed-by": "gatehouse"}
# The metadata by which a stack's manifests lie in the cloud assembly, and the output that has their digest.
METADATA = "gatehouse:manifests"
DIGEST_OUTPUT = "ManifestsDigest"


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
