"""The manifests of an environment: from its assembly, with what its deployment made of their values."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

from gatehouse.kubernetes.manifest import DIGEST_OUTPUT, METADATA, Manifest
from operations.assembly import read_stacks
from operations.errors import RefusedError, WrongUsageError


@dataclass(frozen=True)
class Manifests:
    """An environment's manifests in the order of their application, the workload after all prerequisites."""

    prerequisites: tuple[Manifest, ...]
    workload: tuple[Manifest, ...]


@dataclass(frozen=True)
class Source:
    """Manifests as an assembly holds them, and the stack whose outputs are their values."""

    stack_name: str
    account: str
    region: str
    text: str

    def with_values(self, outputs: Mapping[str, str]) -> Manifests:
        """The manifests with a stack's outputs in them.

        Raises RefusedError if these are the outputs of another version of the stack.
        """
        if outputs.get(DIGEST_OUTPUT) != hashlib.sha256(self.text.encode()).hexdigest():
            raise RefusedError(
                f"what is deployed as {self.stack_name} has other manifests than this checkout: deploy the "
                "stack, or check out what is deployed"
            )
        return self._filled(outputs)

    def with_placeholders(self) -> Manifests:
        """The manifests with ${Name} for each value that only a deployment knows."""
        return self._filled(_Placeholders())

    def _filled(self, values: Mapping[str, str]) -> Manifests:
        found: dict[str, list[Manifest]] = json.loads(self.text)
        return Manifests(*(tuple(_filled(found[part], values)) for part in ("prerequisites", "workload")))


class _Placeholders(dict[str, str]):
    def __missing__(self, name: str) -> str:
        return f"${{{name}}}"


def _filled(value: Any, values: Mapping[str, str]) -> Any:
    if isinstance(value, str):
        return Template(value).substitute(values)
    if isinstance(value, dict):
        return {key: _filled(each, values) for key, each in value.items()}
    return [_filled(each, values) for each in value] if isinstance(value, list) else value


def read_source(environment: str, assembly: Path) -> Source:
    """Read the manifests of an assembly. Raises WrongUsageError for an environment without any."""
    for stack in read_stacks(assembly).values():
        if METADATA in stack.metadata:
            return Source(stack.deployed_name, stack.account, stack.region, stack.metadata[METADATA])
    raise WrongUsageError(f"{environment} has no manifests: compute.platform in its configuration is not eks")


def read_outputs_file(source: Source, file: Path) -> Mapping[str, str]:
    """The stack's outputs from what cdk deploy --outputs-file wrote. Raises WrongUsageError."""
    try:
        outputs = json.loads(file.read_text(encoding="utf-8"))[source.stack_name]
        return {str(name): str(value) for name, value in outputs.items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        raise WrongUsageError(
            f"{file} holds no outputs of {source.stack_name}: write it with cdk deploy --outputs-file"
        ) from None


def read_outputs(source: Source) -> Mapping[str, str]:
    """The deployed stack's outputs, asked of CloudFormation with the shell's credentials.

    Raises WrongUsageError if the stack is not there, RefusedError and UnreachableError.
    """
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    from operations.aws import CONFIG, refuse

    try:
        client = boto3.Session().client("cloudformation", region_name=source.region, config=CONFIG)
        (stack,) = client.describe_stacks(StackName=source.stack_name)["Stacks"]
    except (BotoCoreError, ClientError) as error:
        if "does not exist" in str(error):
            raise WrongUsageError(_not_deployed(source)) from None
        refuse(error)
    # arn:aws:cloudformation:us-east-1:111111111111:stack/...
    if (account := stack["StackId"].split(":")[4]) != source.account:
        raise WrongUsageError(
            f"the AWS credentials are of account {account}; allowed: {source.account}, the account of "
            f"{source.stack_name}"
        )
    return {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", ())}


def _not_deployed(source: Source) -> str:
    return (
        f"these credentials find no stack {source.stack_name} in {source.region}: deploy it to "
        f"{source.account}, sign in there, or take --placeholders"
    )
