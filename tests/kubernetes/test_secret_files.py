"""Secrets reach the bundled gateway as files, other images as variables, and nobody by a template."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import aws_cdk as cdk

from gatehouse.container_settings import ContainerSettings, SecretValue
from gatehouse.image_profile import Container
from gatehouse.kubernetes.secret_files import FOLDER, class_name, secret_provider_class
from gatehouse.kubernetes.workload import prerequisites
from gatehouse.kubernetes.workload_inputs import Workload
from gateway.settings import load_settings
from tests.constructs.parts import new_stack
from tests.kubernetes.workloads import (
    API_KEY,
    deployed_container,
    deployed_pod,
    on_an_existing_cluster,
    only,
    secret_arn,
    values_of,
    workload,
)


class Secret:
    """What a class needs to know of a secret."""

    def __init__(self, name: str) -> None:
        self.secret_arn = secret_arn(name)


def _class(found: Workload) -> dict[str, Any]:
    spec: dict[str, Any] = only(prerequisites(found), "SecretProviderClass")["spec"]
    return spec


def _entries(spec: dict[str, Any]) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = json.loads(spec["parameters"]["objects"])
    return entries


def test_each_secret_variable_is_a_file_of_its_name() -> None:
    assert _entries(_class(workload())) == [
        {
            "objectName": secret_arn("api-keys"),
            "objectType": "secretsmanager",
            "objectAlias": "GATEWAY_API_KEYS",
        },
        {
            "objectName": secret_arn("key-hashing"),
            "objectType": "secretsmanager",
            "jmesPath": [{"path": "secret", "objectAlias": "GATEWAY_KEY_HASHING_SECRET"}],
        },
    ]


def test_the_pod_s_own_role_reads_them() -> None:
    by_agent = _class(workload())["parameters"]
    assert (by_agent["usePodIdentity"], by_agent["region"]) == ("true", "eu-central-1")
    assert "usePodIdentity" not in _class(on_an_existing_cluster())["parameters"]


def test_the_bundled_gateway_has_them_in_no_object_of_kubernetes() -> None:
    assert "secretObjects" not in _class(workload())
    container = deployed_container(workload())
    assert not [each for each in container["env"] if "valueFrom" in each]
    assert {each["mountPath"]: each.get("readOnly") for each in container["volumeMounts"]}[FOLDER] is True


def test_the_collector_does_not_see_them() -> None:
    (sidecar,) = deployed_pod(workload())["initContainers"]
    assert "volumeMounts" not in sidecar
    assert "API_KEYS" not in json.dumps(sidecar)


def test_the_gateway_starts_with_its_variables_and_files(tmp_path: Path) -> None:
    """What the platform writes is what the gateway reads, to the name of a file."""
    contents = {secret_arn("api-keys"): json.dumps({"ci": API_KEY}), secret_arn("key-hashing"): "s" * 64}
    for entry in _entries(_class(workload())):
        for name in [entry.get("objectAlias"), *(each["objectAlias"] for each in entry.get("jmesPath", []))]:
            if name is not None:
                (tmp_path / name).write_text(contents[entry["objectName"]])
    environ = values_of(deployed_container(workload()))
    assert environ["GATEWAY_SECRETS_DIRECTORY"] == FOLDER
    settings = load_settings(environ | {"GATEWAY_SECRETS_DIRECTORY": str(tmp_path)})
    assert settings.key_hashing_secret.get_secret_value() == "s" * 64


def test_other_images_get_variables_from_a_secret_that_lives_as_long_as_its_pods() -> None:
    found = workload("litellm")
    (synced,) = _class(found)["secretObjects"]
    name = only(prerequisites(found), "SecretProviderClass")["metadata"]["name"]
    assert (synced["secretName"], synced["type"]) == (name, "Opaque")
    assert [each["key"] for each in synced["data"]] == ["LITELLM_MASTER_KEY", "LITELLM_SALT_KEY"]
    variables = {
        each["name"]: each["valueFrom"]["secretKeyRef"]
        for each in deployed_container(found)["env"]
        if "valueFrom" in each
    }
    assert variables == {
        key: {"name": name, "key": key, "optional": False}
        for key in ("LITELLM_MASTER_KEY", "LITELLM_SALT_KEY")
    }
    # Mounted, too: it is the mounting that makes the Secret.
    assert FOLDER in [each["mountPath"] for each in deployed_container(found)["volumeMounts"]]


def test_a_variable_may_be_named_as_java_properties_are() -> None:
    (synced,) = _class(workload("dial"))["secretObjects"]
    assert "aidial.encryption.secret" in [each["key"] for each in synced["data"]]


def test_an_image_without_secrets_mounts_none() -> None:
    found = workload("custom")
    assert "SecretProviderClass" not in {each["kind"] for each in prerequisites(found)}
    assert not any("csi" in volume for volume in deployed_pod(found)["volumes"])


def test_a_secret_is_asked_for_once() -> None:
    """AWS's provider refuses a secret or a name that it is given twice."""
    one: Any = Secret("one")
    secrets = {
        "WHOLE": SecretValue(one),
        "SAME": SecretValue(one),
        "FIELD": SecretValue(one, "field"),
        "ODD": SecretValue(one, "odd-field"),
        "OTHER": SecretValue(Secret("other")),  # type: ignore[arg-type]
    }
    found = secret_provider_class(workload(), "gateway", secrets, as_variables=True)
    assert _entries(found["spec"]) == [
        {
            "objectName": secret_arn("one"),
            "objectType": "secretsmanager",
            "objectAlias": "WHOLE",
            "jmesPath": [
                {"path": "field", "objectAlias": "FIELD"},
                {"path": '"odd-field"', "objectAlias": "ODD"},
            ],
        },
        {"objectName": secret_arn("other"), "objectType": "secretsmanager", "objectAlias": "OTHER"},
    ]
    (synced,) = found["spec"]["secretObjects"]
    assert {each["key"]: each["objectName"] for each in synced["data"]} == {
        name: "WHOLE" if name == "SAME" else name for name in secrets
    }


def _with_secrets(**fields: str) -> Workload:
    """An image that reads fields of one secret, by variable."""
    one: Any = Secret("one")
    secrets = {variable: SecretValue(one, field) for variable, field in fields.items()}
    settings = ContainerSettings(environment={}, secrets=secrets)
    usual = workload("custom")
    return replace(usual, profile=replace(usual.profile, container=Container(settings=settings, user="1001")))


def test_pods_mount_the_secrets_of_their_own_version_alone() -> None:
    """The driver changes no Secret that is there: with another key in it the new pods would not start."""

    def names(found: Workload) -> set[str]:
        made = only(prerequisites(found), "SecretProviderClass")
        (volume,) = (each for each in deployed_pod(found)["volumes"] if "csi" in each)
        (synced,) = made["spec"]["secretObjects"]
        return {
            made["metadata"]["name"],
            synced["secretName"],
            volume["csi"]["volumeAttributes"]["secretProviderClass"],
        }

    (before,), (same,) = names(_with_secrets(A="a", B="b")), names(_with_secrets(B="b", A="a"))
    (more,), (other,) = names(_with_secrets(A="a", B="b", C="c")), names(_with_secrets(A="a", B="c"))
    assert before == same
    assert len({before, more, other}) == 3


def test_the_name_of_a_class_does_not_depend_on_how_the_cdk_numbers_its_values() -> None:
    def name(values_before: int) -> str:
        stack = new_stack()
        for number in range(values_before):
            str(cdk.CfnParameter(stack, f"Parameter{number}").value_as_string)
        secret: Any = Secret("one")
        secret.secret_arn = cdk.CfnParameter(stack, "Arn").value_as_string
        found = replace(workload(), resolve=stack.resolve)
        return class_name(found, "gateway", {"KEY": SecretValue(secret)})

    assert name(0) == name(3)
