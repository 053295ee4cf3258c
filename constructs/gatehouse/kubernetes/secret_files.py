"""Secrets as files in a pod, which the Secrets Store CSI driver with AWS's provider mounts."""

import json
import re
from collections.abc import Mapping
from typing import Any

from lightkube.models import core_v1 as core

from gatehouse.container_settings import SecretValue
from gatehouse.kubernetes.manifest import Manifest, digest, labels
from gatehouse.kubernetes.workload_inputs import GATEWAY, Workload

FOLDER = "/run/secrets/gatehouse"
VOLUME = "secrets"
_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def class_name(workload: Workload, component: str, secrets: Mapping[str, SecretValue]) -> str:
    """The name of a component's class, and of the Secret that it makes: others hold other secrets.

    The driver changes no Secret that is there, and makes one of what any pod has mounted: by this name pods
    of one version get nothing of another's, and other secrets make other pods.
    """
    held = {variable: [value.secret.secret_arn, value.field] for variable, value in secrets.items()}
    return f"{component}-{digest(workload.resolve(held))}"


def secret_provider_class(
    workload: Workload, component: str, secrets: Mapping[str, SecretValue], *, as_variables: bool
) -> Manifest:
    """What the driver mounts for the pods of a component, each file named as its variable.

    With `as_variables` it keeps a Secret of Kubernetes with the same content, as long as there is a version
    of the pods that mounts them: containers take variables from nowhere else.
    """
    name = class_name(workload, component, secrets)
    files, entries = _files(secrets)
    by_agent = workload.cluster.identity == "pod-identity"
    spec: dict[str, Any] = {
        "provider": "aws",
        "parameters": {
            "region": workload.region,
            **({"usePodIdentity": "true"} if by_agent else {}),
            # YAML in a string, which JSON is.
            "objects": json.dumps(entries, separators=(",", ":")),
        },
    }
    if as_variables:
        spec["secretObjects"] = [
            {
                "secretName": name,
                "type": "Opaque",
                "labels": labels(GATEWAY, component),
                "data": [{"objectName": files[variable], "key": variable} for variable in secrets],
            }
        ]
    return {
        "apiVersion": "secrets-store.csi.x-k8s.io/v1",
        "kind": "SecretProviderClass",
        "metadata": workload.metadata(name, component).to_dict(),
        "spec": spec,
    }


def _files(secrets: Mapping[str, SecretValue]) -> tuple[dict[str, str], list[dict[str, Any]]]:
    """The file with each variable's value, and the driver's entries: it takes a secret once, and a name."""
    files: dict[str, str] = {}
    entries: dict[str, dict[str, Any]] = {}
    first: dict[tuple[str, str | None], str] = {}
    for variable, value in secrets.items():
        arn = value.secret.secret_arn
        files[variable] = first.setdefault((arn, value.field), variable)
        if files[variable] != variable:
            continue
        entry = entries.setdefault(arn, {"objectName": arn, "objectType": "secretsmanager"})
        if value.field is None:
            entry["objectAlias"] = variable
        else:
            field = {"path": _path(value.field), "objectAlias": variable}
            entry.setdefault("jmesPath", []).append(field)
    return files, list(entries.values())


def _path(field: str) -> str:
    """A field as JMESPath names it: in quotes, unless it is an identifier."""
    return field if _IDENTIFIER.fullmatch(field) else json.dumps(field)


def secrets_volume(name: str) -> core.Volume:
    """The volume of a pod that mounts the secrets of the class of this name."""
    return core.Volume(
        name=VOLUME,
        csi=core.CSIVolumeSource(
            driver="secrets-store.csi.k8s.io",
            readOnly=True,
            volumeAttributes={"secretProviderClass": name},
        ),
    )


def secrets_mount() -> core.VolumeMount:
    """Where a container has the files."""
    return core.VolumeMount(name=VOLUME, mountPath=FOLDER, readOnly=True)


def secret_variables(name: str, secrets: Mapping[str, SecretValue]) -> list[core.EnvVar]:
    """The variables of a container that reads no files, from the Secret of this name."""
    return [
        core.EnvVar(
            name=variable,
            valueFrom=core.EnvVarSource(
                secretKeyRef=core.SecretKeySelector(name=name, key=variable, optional=False)
            ),
        )
        for variable in secrets
    ]
