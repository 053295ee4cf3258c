"""Invariants of two regions: each one's stacks stand alone, whatever happens to the other."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from operations.assembly import Stack
from tests.stacks.invariants.resource import Template, strings

# What the CDK deploys to carry a value from one region into the other.
CARRIERS = {"Custom::CrossRegionExportReader", "Custom::CrossRegionExportWriter"}

# The order of a first deployment: a stack, one of the other region that it comes after, and why.
CROSSINGS = {
    ("Standby-Keys", "Keys"): "its keys are copies of the keys there",
    ("Data", "Standby-Keys"): "its copies are encrypted with the keys there",
    ("Identity", "Standby-Keys"): "its replica is encrypted with the key there",
    ("Standby-Data", "Data"): "its database is a replica of the one there",
    ("Standby-Identity", "Identity"): "it configures the replica that is made there",
    ("Registry", "Standby-Registry"): "its images are replicated into the repository there",
    ("Edge", "Standby-Recovery"): "its record of the public name has the plan's health check",
    ("Service", "Standby-Data"): "a step of the plan leads to the access point there",
    ("Standby-Service", "Service"): "its migrations wait for the schema that those there make",
}

# Where a template names the other region, as text that is known at synthesis: its stack, the type of
# resource, and why. Whatever else would name it is refused until it has a reason.
_ASKED = "what it looks up once, when it is created"
_MODELS = "the catalog has models of several regions"
MENTIONS = {
    **{
        (stack, resource_type): _ASKED
        for stack in ("Edge", "Service", "Standby-Data", "Standby-Identity", "Standby-Keys")
        for resource_type in ("AWS::IAM::Policy", "AWS::Lambda::Function", "Custom::OtherRegionOutputs")
    },
    **{
        (stack, resource_type): "where objects are copied to"
        for stack in ("Data", "Standby-Data")
        for resource_type in ("AWS::CloudWatch::Alarm", "AWS::IAM::Policy")
    },
    ("Data", "AWS::RDS::DBInstance"): "where its backups are copied to, and the key of the copies",
    ("Data", "AWS::SecretsManager::Secret"): "where it is copied to, and the key of the copy",
    ("Identity", "AWS::Cognito::UserPoolDomain"): "where sign-in moves to",
    ("Identity", "AWS::Cognito::UserPoolReplica"): "where it is",
    ("Registry", "AWS::ECR::ReplicationConfiguration"): "where images are replicated to",
    ("Service", "AWS::AppConfig::HostedConfigurationVersion"): _MODELS,
    ("Standby-Data", "AWS::RDS::DBInstance"): "its source: RDS asks for it when the replica is created",
    ("Standby-Data", "AWS::S3::Bucket"): "where its objects are copied to",
    ("Standby-Data", "AWS::S3::MultiRegionAccessPoint"): "the bucket there",
    ("Standby-Data", "Custom::AccessPointRoutes"): "the region that it leads to at first",
    (
        "Standby-Data",
        "Custom::BucketReplication",
    ): "the bucket there, whose copying it begins",
    (
        "Standby-Keys",
        "AWS::KMS::ReplicaKey",
    ): "its policy names user pools, whose IDs begin so",
    ("Standby-Recovery", "AWS::ARCRegionSwitch::Plan"): "both of its regions; each can be the lost one",
    ("Standby-Recovery", "AWS::IAM::Policy"): "what the plan may do there",
    ("Standby-Recovery", "Custom::PlanHealthChecks"): "the record of each region has a health check",
    ("Standby-Service", "AWS::ECS::TaskDefinition"): "the issuer of tokens has the name of its first region",
    ("Standby-Service", "AWS::Lambda::Function"): "the regions between which a step of the plan moves",
    (
        "Standby-Service",
        "Custom::KubernetesManifests",
    ): "the issuer of tokens has the name of its first region",
}


def resolved_elsewhere(templates: Mapping[str, Template], stacks: Mapping[str, Stack]) -> list[str]:
    """What a template can only be deployed with while another region answers; both are by stack's name."""
    places: dict[tuple[str, str], set[str]] = {}
    for name, template in templates.items():
        exports = places.setdefault((stacks[name].account, stacks[name].region), set())
        exports |= {
            json.dumps(output["Export"]["Name"])
            for output in template.get("Outputs", {}).values()
            if "Export" in output
        }
    return [
        f"{name}: {wrong}"
        for name, template in templates.items()
        for wrong in _resolved(template, places[(stacks[name].account, stacks[name].region)])
    ]


def _resolved(template: Template, exports: set[str]) -> Iterator[str]:
    for function, argument in _functions(template):
        if function == "Fn::GetStackOutput":
            yield f"reads an output of another stack: {json.dumps(argument)}"
        if function == "Fn::ImportValue" and json.dumps(argument) not in exports:
            yield f"imports {json.dumps(argument)}, which nothing in its region exports"
    for logical_id, resource in template["Resources"].items():
        if resource["Type"] in CARRIERS:
            yield f"{logical_id} is a {resource['Type']}"


def _functions(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield name, inner
            yield from _functions(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _functions(inner)


def mentions(template: Template, region: str) -> set[str]:
    """The types of a template's resources that name a region, wherever in their properties."""
    return {
        resource["Type"]
        for resource in template["Resources"].values()
        if any(region in text for text in strings(resource.get("Properties", {})))
    }


def crossings(stacks: Mapping[str, Stack]) -> set[tuple[str, str]]:
    """Which stack is deployed after which one of another region."""
    return {
        (name, before)
        for name, stack in stacks.items()
        for before in stack.after
        if stacks[before].region != stack.region
    }
