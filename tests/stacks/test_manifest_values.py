"""Manifests in the cloud assembly: what a deployment decides is named, and an output of the stack."""

import hashlib
import json
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import assertions
from aws_cdk import aws_s3 as s3

from stacks.compute.manifest_values import manifest_outputs

SCRIPT = "sh -c 'echo $(HOME) ${PATH}'"


@pytest.fixture(scope="module")
def stacks() -> tuple[cdk.Stack, cdk.Stack]:
    """A Service stack with a manifest that refers to itself, to another stack, and to part of a reference."""
    app = cdk.App(builtin_cloud_formation_validation=False)
    env = cdk.Environment(account="111111111111", region="us-east-1")
    stage = cdk.Stage(app, "gatehouse-test", env=env)
    data, service = cdk.Stack(stage, "Data"), cdk.Stack(stage, "Service")
    objects, own = s3.Bucket(data, "Objects"), s3.Bucket(service, "Own")
    config = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "settings"},
        "data": {
            "both": f"{objects.bucket_arn}/* and {own.bucket_name}",
            "again": own.bucket_name,
            "part": cdk.Fn.select(5, cdk.Fn.split(":", own.bucket_arn)),
            "script": SCRIPT,
        },
        "immutable": True,
    }
    manifest_outputs(service, prerequisites=[config], workload=[])
    return data, service


def _text(service: cdk.Stack) -> str:
    (text,) = [entry.data for entry in service.node.metadata if entry.type == "gatehouse:manifests"]
    return str(text)


@pytest.fixture(scope="module")
def outputs(stacks: tuple[cdk.Stack, cdk.Stack]) -> dict[str, Any]:
    return {
        name: output["Value"]
        for name, output in assertions.Template.from_stack(stacks[1]).find_outputs("*").items()
    }


def test_values_stand_as_the_names_of_outputs(stacks: tuple[cdk.Stack, cdk.Stack]) -> None:
    (config,) = json.loads(_text(stacks[1]))["prerequisites"]
    data = config["data"]
    assert data["both"] == "${ManifestDataObjectsArn}/* and ${ManifestServiceOwnRef}"
    assert data["again"] == "${ManifestServiceOwnRef}"
    assert config["immutable"] is True


def test_each_value_is_one_output_also_that_of_another_stack(outputs: dict[str, Any]) -> None:
    assert outputs["ManifestServiceOwnRef"].keys() == {"Ref"}
    assert outputs["ManifestDataObjectsArn"].keys() == {"Fn::ImportValue"}
    assert sum("Fn::Select" in value for value in outputs.values()) == 1
    assert len(outputs) == 4  # with the digest


def test_other_text_is_kept_apart_from_names(stacks: tuple[cdk.Stack, cdk.Stack]) -> None:
    (config,) = json.loads(_text(stacks[1]))["prerequisites"]
    assert config["data"]["script"].replace("$$", "$") == SCRIPT
    assert config["data"]["script"].count("$$") == 2


def test_the_digest_is_of_what_lies_in_the_assembly(
    stacks: tuple[cdk.Stack, cdk.Stack], outputs: dict[str, Any]
) -> None:
    assert outputs["ManifestsDigest"] == hashlib.sha256(_text(stacks[1]).encode()).hexdigest()


def test_a_number_that_only_a_deployment_knows_is_refused() -> None:
    port = cdk.Token.as_number(cdk.Fn.ref("Port"))
    with pytest.raises(TypeError, match="has to be a string"):
        manifest_outputs(cdk.Stack(), prerequisites=[{"port": port}], workload=[])
