"""Policies as IAM would see them: references replaced by ARNs of the right shape."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.stacks.invariants.resource import Template
from tests.stacks.invariants.statements import IDENTITY_POLICIES

ACCOUNT = "111111111111"
REGION = "us-east-1"
_SERVICE_ARN = f"arn:aws:{{}}:{REGION}:{ACCOUNT}:{{}}"
PSEUDO_PARAMETERS = {
    "AWS::AccountId": ACCOUNT,
    "AWS::Partition": "aws",
    "AWS::Region": REGION,
    "AWS::StackId": _SERVICE_ARN.format("cloudformation", "stack/stack/1234abcd"),
    "AWS::StackName": "stack",
    "AWS::URLSuffix": "amazonaws.com",
}
# Type → an ARN of it. What is not here answers with its logical ID, as names do.
ARNS = {
    "AWS::ARCRegionSwitch::Plan": f"arn:aws:arc-region-switch::{ACCOUNT}:plan/plan:abc123",
    "AWS::AppConfig::Application": _SERVICE_ARN.format("appconfig", "application/abc1234"),
    "AWS::Backup::BackupVault": _SERVICE_ARN.format("backup", "backup-vault:vault"),
    "AWS::CloudWatch::Alarm": _SERVICE_ARN.format("cloudwatch", "alarm:alarm"),
    "AWS::ECR::Repository": _SERVICE_ARN.format("ecr", "repository/images"),
    "AWS::ECS::Cluster": _SERVICE_ARN.format("ecs", "cluster/cluster"),
    "AWS::ECS::TaskDefinition": _SERVICE_ARN.format("ecs", "task-definition/family:1"),
    "AWS::ElastiCache::User": _SERVICE_ARN.format("elasticache", "user:user"),
    "AWS::ElasticLoadBalancingV2::ListenerRule": _SERVICE_ARN.format(
        "elasticloadbalancing", "listener-rule/app/name/50dc6c495c0c9188/f2f7dc8efc522ab2/9683b2d02a6cabee"
    ),
    "AWS::ElasticLoadBalancingV2::TargetGroup": _SERVICE_ARN.format(
        "elasticloadbalancing", "targetgroup/name/73e2d6bc24d8a067"
    ),
    "AWS::IAM::Role": f"arn:aws:iam::{ACCOUNT}:role/role",
    "AWS::KMS::Key": _SERVICE_ARN.format("kms", "key/mrk-1234abcd12ab34cd56ef1234567890ab"),
    "AWS::KMS::ReplicaKey": _SERVICE_ARN.format("kms", "key/mrk-1234abcd12ab34cd56ef1234567890ab"),
    "AWS::Lambda::Function": _SERVICE_ARN.format("lambda", "function:function"),
    "AWS::Logs::LogGroup": _SERVICE_ARN.format("logs", "log-group:group:*"),
    "AWS::S3::Bucket": "arn:aws:s3:::bucket",
    "AWS::SNS::Topic": _SERVICE_ARN.format("sns", "topic"),
    "AWS::SQS::Queue": _SERVICE_ARN.format("sqs", "queue"),
    "AWS::SecretsManager::Secret": _SERVICE_ARN.format("secretsmanager", "secret:secret-AbCdEf"),
    "AWS::Signer::SigningProfile": _SERVICE_ARN.format("signer", "/signing-profiles/profile"),
}
# Types whose Ref is an ARN.
REF_IS_ARN = {
    "AWS::ECS::TaskDefinition",
    "AWS::ElasticLoadBalancingV2::ListenerRule",
    "AWS::ElasticLoadBalancingV2::TargetGroup",
    "AWS::SNS::Topic",
    "AWS::SecretsManager::Secret",
}


@dataclass(frozen=True, kw_only=True)
class Policy:
    """A policy of principals: where it is and its document, without intrinsic functions."""

    place: str
    document: str


def policies(templates: Mapping[str, Template]) -> Iterator[Policy]:
    """Every policy that principals have, of all stacks; `templates` are by stack."""
    for stack, template in templates.items():
        for logical_id, resource in template["Resources"].items():
            properties = resource.get("Properties", {})
            for document in _documents(resource["Type"], properties):
                resolved = _Resolver(templates, template).resolve(document)
                yield Policy(place=f"{stack}/{logical_id}", document=json.dumps(resolved))


def _documents(resource_type: str, properties: Mapping[str, Any]) -> list[Any]:
    if resource_type == "AWS::IAM::Role":
        return [inline["PolicyDocument"] for inline in properties.get("Policies", [])]
    return [properties["PolicyDocument"]] if resource_type in IDENTITY_POLICIES else []


class _Resolver:
    def __init__(self, templates: Mapping[str, Template], template: Template) -> None:
        self._templates = templates
        self._template = template

    def resolve(self, value: Any) -> Any:
        """A value with what its intrinsic functions would answer."""
        if isinstance(value, list):
            return [self.resolve(inner) for inner in value]
        if not isinstance(value, Mapping):
            return value
        if len(value) == 1:
            ((function, argument),) = value.items()
            answer = getattr(self, f"_{function.replace('::', '_').lower()}", None)
            if answer:
                return answer(argument)
        return {name: self.resolve(inner) for name, inner in value.items()}

    def _ref(self, name: str) -> str:
        if name in PSEUDO_PARAMETERS:
            return PSEUDO_PARAMETERS[name]
        resource_type = self._type(name)
        return ARNS[resource_type] if resource_type in REF_IS_ARN else name.lower()

    def _fn_getatt(self, argument: list[str]) -> str:
        logical_id, attribute = argument
        if self._type(logical_id) == "Custom::OtherRegionOutputs":
            return str(self._elsewhere(logical_id, attribute))
        is_arn = attribute.endswith("Arn")
        return ARNS.get(self._type(logical_id), logical_id) if is_arn else logical_id.lower()

    def _elsewhere(self, logical_id: str, output: str) -> Any:
        """What another region's stack answers, whose name the resource has."""
        name = self._template["Resources"][logical_id]["Properties"]["StackName"]
        # `Data` ends `Standby-Data`, too: the longest is meant.
        stack = max((stack for stack in self._templates if name.endswith(f"-{stack}")), key=len)
        template = self._templates[stack]
        return _Resolver(self._templates, template).resolve(template["Outputs"][output]["Value"])

    def _fn_select(self, argument: list[Any]) -> Any:
        index, values = argument
        return self.resolve(values)[int(index)]

    def _fn_split(self, argument: list[Any]) -> list[str]:
        separator, value = argument
        return str(self.resolve(value)).split(separator)

    def _fn_join(self, argument: list[Any]) -> str:
        separator, parts = argument
        return str(separator).join(str(self.resolve(part)) for part in parts)

    def _fn_importvalue(self, name: str) -> Any:
        for template in self._templates.values():
            for output in template.get("Outputs", {}).values():
                if output.get("Export", {}).get("Name") == name:
                    return _Resolver(self._templates, template).resolve(output["Value"])
        raise KeyError(name)

    def _type(self, logical_id: str) -> str:
        return str(self._template["Resources"].get(logical_id, {}).get("Type"))
