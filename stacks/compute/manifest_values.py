"""The manifests for `gatehouse manifests`: beside the template, with their values as outputs of the stack."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import aws_cdk as cdk

from gatehouse.kubernetes.manifest import DIGEST_OUTPUT, METADATA, Manifest

# What stands in a string for a value that the CDK knows at the end of synthesis, or CloudFormation later.
_TOKEN = re.compile(r"\$\{Token\[[^\]]+\]\}")


def manifest_outputs(
    stack: cdk.Stack, *, prerequisites: Sequence[Manifest], workload: Sequence[Manifest]
) -> None:
    """Write a stack's manifests into the cloud assembly, and what only a deployment knows into its outputs.

    In the assembly such a value stands as the name of its output, `${ManifestTargetsGroupRef}`. The digest of
    the whole is an output, too: it tells whether what is deployed belongs to what is in the assembly.
    Raises TypeError for a value that is known at deployment only and is no string.
    """
    values = _Values(stack)
    named = {"prerequisites": values.name_in(prerequisites), "workload": values.name_in(workload)}
    text = json.dumps(named, separators=(",", ":"))
    stack.node.add_metadata(METADATA, text)
    for name, token in values.found.items():
        cdk.CfnOutput(stack, name, value=token)
    cdk.CfnOutput(stack, DIGEST_OUTPUT, value=hashlib.sha256(text.encode()).hexdigest())


class _Values:
    """The tokens found in manifests, by the names of their outputs."""

    def __init__(self, stack: cdk.Stack) -> None:
        self.found: dict[str, str] = {}
        self._stack = stack

    def name_in(self, value: Any) -> Any:
        """A copy of `value` with a name in place of each token; other text has each $ twice."""
        if isinstance(value, str):
            return self._name_in_text(value)
        if isinstance(value, Mapping):
            return {key: self.name_in(each) for key, each in value.items()}
        if isinstance(value, list | tuple):
            return [self.name_in(each) for each in value]
        if value is not None and not isinstance(value, bool) and cdk.Token.is_unresolved(value):
            raise TypeError(f"{value!r} is known at deployment only, and has to be a string")
        return value

    def _name_in_text(self, text: str) -> str:
        literals = [literal.replace("$", "$$") for literal in _TOKEN.split(text)]
        names = [f"${{{self._name(token)}}}" for token in _TOKEN.findall(text)]
        return "".join(part for pair in zip(literals, [*names, ""], strict=True) for part in pair)

    def _name(self, token: str) -> str:
        """What a reference is to, such as ManifestDataDatabaseEndpointAddress; else a hash of the value."""
        value = cdk.Tokenization.reverse_string(token).first_token
        if isinstance(value, cdk.Reference):
            # Without the stage; what an L2 makes is called Resource within it.
            path = [part for part in value.target.node.path.split("/")[1:] if part != "Resource"]
            name = "Manifest" + re.sub("[^0-9A-Za-z]", "", "".join([*path, value.display_name]))
        else:
            resolved = json.dumps(self._stack.resolve(value), sort_keys=True)
            name = "Manifest" + hashlib.sha256(resolved.encode()).hexdigest()[:8]
        self.found[name] = token
        return name
