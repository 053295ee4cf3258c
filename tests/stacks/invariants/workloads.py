"""Invariants of what runs: containers, functions, their logs and the alarms on them."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from tests.stacks.invariants.resource import Resource, strings

# Lambda's runtimes with more than a year of support left.
RUNTIMES = {"python3.13", "python3.14"}
_DIGEST = re.compile(r"@sha256:[0-9a-f]{64}$")
_ROOT = re.compile(r"^(root|0)(:|$)")


def containers_change_nothing(resource: Resource) -> Iterator[str]:
    """Containers have a read-only root, no capabilities, no privileges and are not root."""
    for container in _containers(resource):
        name = container["Name"]
        linux = container.get("LinuxParameters", {}).get("Capabilities", {})
        if container.get("ReadonlyRootFilesystem") is not True:
            yield f"{name} can write to its root file system"
        if container.get("Privileged"):
            yield f"{name} is privileged"
        if linux.get("Drop") != ["ALL"] or linux.get("Add"):
            yield f"{name} keeps capabilities"
        if not container.get("User") or _ROOT.match(str(container["User"])):
            yield f"{name} runs as root"


def images_are_pinned(resource: Resource) -> Iterator[str]:
    """An image is named by its digest, or by a tag of our own repositories, whose tags are immutable."""
    for container in _containers(resource):
        image = "".join(strings(container["Image"]))
        if not _DIGEST.search(image) and not _is_asset(container["Image"]):
            yield f"{container['Name']} runs {image}, which can change"


def _is_asset(image: Any) -> bool:
    # The repository is a reference to another stack's, or this account's by name, and the tag a hash.
    text = "".join(strings(image))
    return bool(re.search(r"[0-9a-f]{64}$", text)) and ".dkr.ecr." in text


def containers_keep_secrets_out_of_variables(resource: Resource) -> Iterator[str]:
    """A container's secrets are references that ECS resolves, never values or dynamic references."""
    for container in _containers(resource):
        for variable in container.get("Environment", []):
            if any("{{resolve:" in text for text in strings(variable["Value"])):
                yield f"{container['Name']} has a secret in {variable['Name']}"


def containers_log(resource: Resource) -> Iterator[str]:
    """Every container writes its output into a log group of the template."""
    for container in _containers(resource):
        options = container.get("LogConfiguration", {}).get("Options", {})
        group = options.get("awslogs-group", {})
        known = resource.template["Resources"]
        if not isinstance(group, Mapping) or group.get("Ref") not in known:
            yield f"{container['Name']} has no log group of its stack"


def _containers(resource: Resource) -> list[Mapping[str, Any]]:
    if resource.type != "AWS::ECS::TaskDefinition":
        return []
    return list(resource.properties["ContainerDefinitions"])


def nobody_enters_containers(resource: Resource) -> Iterator[str]:
    """ECS Exec is off: nothing needs a shell in a task."""
    if resource.type == "AWS::ECS::Service" and resource.properties.get("EnableExecuteCommand"):
        yield "lets people enter its tasks"


def functions_have_their_log_group(resource: Resource) -> Iterator[str]:
    """A function writes into a log group of the template, not one that Lambda makes and keeps for ever."""
    if resource.type != "AWS::Lambda::Function":
        return
    group = resource.properties.get("LoggingConfig", {}).get("LogGroup", {})
    if not isinstance(group, Mapping) or group.get("Ref") not in resource.template["Resources"]:
        yield "has no log group of its stack"


def functions_have_a_supported_runtime(resource: Resource) -> Iterator[str]:
    """A function's runtime has more than a year of support left."""
    if resource.type == "AWS::Lambda::Function" and resource.properties.get("Runtime") not in RUNTIMES:
        yield f"has the runtime {resource.properties.get('Runtime')}"


def logs_end(resource: Resource) -> Iterator[str]:
    """Every log group says how long it keeps logs."""
    if resource.type == "AWS::Logs::LogGroup" and "RetentionInDays" not in resource.properties:
        yield "keeps logs for ever"


def alarms_tell_somebody(resource: Resource) -> Iterator[str]:
    """Every alarm has an action, and a description that says what it means."""
    if resource.type not in {"AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm"}:
        return
    if not resource.properties.get("AlarmActions"):
        yield "tells nobody"
    if len(resource.properties.get("AlarmDescription", "").split()) < 4:
        yield "does not say what it means"


CHECKS = (
    containers_change_nothing,
    images_are_pinned,
    containers_keep_secrets_out_of_variables,
    containers_log,
    nobody_enters_containers,
    functions_have_their_log_group,
    functions_have_a_supported_runtime,
    logs_end,
    alarms_tell_somebody,
)
