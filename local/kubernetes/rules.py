"""What a Kubernetes API refuses of an object: names, unknown fields, and changes of what cannot change."""

import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import kubernetes_validate

from local.kubernetes.errors import bad_request, invalid, unknown_field
from local.kubernetes.kinds import Kind
from local.kubernetes.server_side_apply import Object

_LONGEST_NAME = 253
_LONGEST_LABEL = 63
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?")
_IMMUTABLE: Mapping[str, tuple[str, ...]] = {
    "Deployment": ("selector",),
    "Job": ("completionMode", "completions", "selector", "template"),
}


def check_patch(kind: Kind, namespace: str, name: str, patch: Any) -> None:
    """Whether a body may be applied at an address; raises StatusError."""
    if not isinstance(patch, dict) or not isinstance(patch.get("metadata"), dict):
        raise bad_request("the body is not an object")
    told = (patch.get("apiVersion"), patch.get("kind"))
    if told != (kind.version, kind.name):
        raise bad_request(f"{told} in the body does not match {(kind.version, kind.name)} of the address")
    metadata = patch["metadata"]
    if metadata.get("name") != name:
        raise bad_request(f"the name of the object ({metadata.get('name')}) does not match the URL ({name})")
    if metadata.get("namespace", namespace) != namespace:
        raise bad_request("the namespace of the provided object does not match the namespace of the request")
    if "managedFields" in metadata:
        raise bad_request("metadata.managedFields must be nil")
    for problem in _naming_problems(name, metadata):
        raise invalid(kind.name, name, problem)


def check_object(kind: Kind, version: str, merged: Object, live: Object | None) -> None:
    """Whether an object may become this; `version` is of Kubernetes. Raises StatusError."""
    name = merged["metadata"]["name"]
    if kind.is_built_in:
        _check_schema(kind, version, merged)
    if kind.name == "Deployment":
        labels = merged["spec"]["template"]["metadata"].get("labels", {})
        selector = merged["spec"]["selector"].get("matchLabels", {})
        if not selector or not selector.items() <= labels.items():
            problem = "spec.template.metadata.labels: `selector` does not match template `labels`"
            raise invalid(kind.name, name, problem)
    for field in _IMMUTABLE.get(kind.name, ()) if live else ():
        if live is not None and live["spec"].get(field) != merged["spec"].get(field):
            value = merged["spec"].get(field)
            raise invalid(kind.name, name, f"spec.{field}: Invalid value: {value}: field is immutable")


def _check_schema(kind: Kind, version: str, merged: Object) -> None:
    wanted = {key: value for key, value in merged.items() if key not in ("metadata", "status")}
    broken = _breach(version, json.dumps(wanted | {"metadata": {"name": "checked-apart"}}, sort_keys=True))
    if broken is not None:
        is_typing, problem = broken
        raise (unknown_field if is_typing else invalid)(kind.name, merged["metadata"]["name"], problem)


@lru_cache(maxsize=256)
def _breach(version: str, wanted: str) -> tuple[bool, str] | None:
    """Whether a field is unknown or of another type, or else breaks a rule, and how; None for a good object.

    The schemas are read anew for each check, which takes a while.
    """
    try:
        kubernetes_validate.validate(json.loads(wanted), version, strict=True)
    except kubernetes_validate.ValidationError as error:
        place = "".join(f".{key}" for key in error.path)
        return error.validator in ("additionalProperties", "type"), f"{place}: {error.message}"
    return None


def _naming_problems(name: str, metadata: Mapping[str, Any]) -> Iterator[str]:
    if len(name) > _LONGEST_NAME or not _NAME.fullmatch(name):
        yield f"metadata.name: Invalid value: {name!r}: a lowercase RFC 1123 subdomain"
    for key, value in (metadata.get("labels") or {}).items():
        if not isinstance(value, str) or len(value) > _LONGEST_LABEL or not _LABEL_VALUE.fullmatch(value):
            yield f"metadata.labels: Invalid value: {value!r} of {key}"
