"""Which objects of a cluster a deployment may remove: those that it has marked as its own."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gatehouse.functions.apply_manifests.kubernetes_api import Object

LABEL = "gatehouse/applied-by"
MANAGED_BY = "app.kubernetes.io/managed-by"
_MANAGER = "gatehouse"


class ForeignObjectError(Exception):
    """An object belongs to another stack."""


@dataclass(frozen=True)
class Mark:
    """A label's value: whose an object is (a stack's), and of which set of manifests (a resource's of it)."""

    stack: str
    manifests: str

    @classmethod
    def of(cls, event: Mapping[str, Any], properties: Mapping[str, Any]) -> "Mark":
        """The mark of what a custom resource applies; the same for a stack that is made anew."""
        stack = event["StackId"].rpartition("/")[0]
        manifests = f"{event['LogicalResourceId']} {properties['Cluster']} {properties['Manifests']}"
        return cls(_hash(stack)[:16], _hash(manifests)[:32])

    def __str__(self) -> str:
        return f"{self.stack}.{self.manifests}"

    def is_on(self, found: Object) -> bool:
        """Whether an object carries this very mark."""
        return _labels(found).get(LABEL) == str(self)

    def put_on(self, manifest: Object, found: Object | None) -> Object:
        """The manifest as it is applied over what was found.

        An object that nobody has made for a Gatehouse is changed and stays its owner's: without a mark it is
        never removed. Raises ForeignObjectError for another stack's; a namespace may be shared.
        """
        labels = dict(_labels(manifest))
        owner = None if found is None else _labels(found).get(LABEL)
        if owner is not None and owner.partition(".")[0] != self.stack:
            if manifest["kind"] != "Namespace":
                raise ForeignObjectError(
                    f"{describe(manifest)} belongs to another stack: give this one a namespace of its own"
                )
            return _labelled(manifest, labels | {LABEL: owner})
        if found is not None and owner is None and _labels(found).get(MANAGED_BY) != _MANAGER:
            labels.pop(MANAGED_BY, None)
            return _labelled(manifest, labels)
        return _labelled(manifest, labels | {LABEL: str(self)})


def describe(manifest: Object) -> str:
    """An object as people name it."""
    metadata = manifest["metadata"]
    place = f" in namespace {metadata['namespace']}" if "namespace" in metadata else ""
    return f"{manifest['kind']} {metadata['name']}{place}"


def _labels(found: Object) -> dict[str, str]:
    labels: dict[str, str] = found["metadata"].get("labels") or {}
    return labels


def _labelled(manifest: Object, labels: dict[str, str]) -> Object:
    return manifest | {"metadata": manifest["metadata"] | {"labels": labels}}


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
