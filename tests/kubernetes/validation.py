"""Whether a cluster would take a manifest."""

import json
from functools import cache

import kubernetes_validate

from gatehouse.kubernetes.manifest import Manifest
from tests.kubernetes import custom_resources


def validate(manifest: Manifest, version: str) -> None:
    """Raise AssertionError for what a version of Kubernetes, or the definition of another kind, refuses."""
    if (manifest["apiVersion"], manifest["kind"]) in custom_resources.SPECS:
        found = custom_resources.problems(manifest)
        assert not found, f"{manifest['kind']}: {found}"
        return
    _validate(json.dumps(manifest, sort_keys=True), version)


@cache
def _validate(text: str, version: str) -> None:
    manifest = json.loads(text)
    try:
        used = kubernetes_validate.validate(manifest, version, strict=True)
    except kubernetes_validate.ValidationError as error:
        raise AssertionError(f"{manifest['kind']}: {error.json_path}: {error.message}") from error
    # It takes the next older version's schemas in place of those that it does not have.
    assert used == version
