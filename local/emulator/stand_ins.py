"""Record-only handlers for the CloudFormation types that MiniStack refuses.

A stand-in accepts any properties, answers the attributes that templates ask for, and writes down what it was
given. It does nothing else: a NAT gateway here carries no packet. The list is explicit, so that the gap
between this emulator and AWS stays visible.
"""

import json
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ministack.core.responses import get_account_id, get_region, new_uuid

Properties = dict[str, Any]
Attributes = dict[str, str]


def _identifier(prefix: str) -> Callable[[], str]:
    """Physical IDs as EC2 makes them: a prefix and 17 hexadecimal digits."""
    return lambda: prefix + new_uuid().replace("-", "")[:17]


def _arn(service: str, resource: str) -> Callable[[], str]:
    return lambda: f"arn:aws:{service}:{get_region()}:{get_account_id()}:{resource}/{new_uuid()}"


# Type → how a physical ID is made, and which attributes (Fn::GetAtt) answer that ID.
STAND_INS: Mapping[str, tuple[Callable[[], str], tuple[str, ...]]] = {
    "AWS::ApplicationAutoScaling::ScalableTarget": (_identifier("scalable-target-"), ("Id",)),
    "AWS::ApplicationAutoScaling::ScalingPolicy": (_arn("autoscaling", "scalingPolicy"), ("Arn",)),
    "AWS::Backup::BackupSelection": (new_uuid, ("Id", "SelectionId")),
    "AWS::CloudTrail::Trail": (_arn("cloudtrail", "trail"), ("Arn",)),
    "AWS::Cognito::LogDeliveryConfiguration": (_identifier("log-delivery-"), ("Id",)),
    "AWS::Cognito::ManagedLoginBranding": (new_uuid, ("ManagedLoginBrandingId",)),
    "AWS::Cognito::UserPoolIdentityProvider": (_identifier("identity-provider-"), ("Id",)),
    "AWS::Cognito::UserPoolRegionalConfigurationAttachment": (_identifier("regional-configuration-"), ()),
    "AWS::Cognito::UserPoolReplica": (_identifier("user-pool-replica-"), ()),
    "AWS::Cognito::UserPoolRiskConfigurationAttachment": (_identifier("risk-configuration-"), ()),
    "AWS::ECR::ReplicationConfiguration": (get_account_id, ("RegistryId",)),
    "AWS::ECR::SigningConfiguration": (get_account_id, ("RegistryId",)),
    "AWS::Bedrock::ApplicationInferenceProfile": (
        _arn("bedrock", "application-inference-profile"),
        ("InferenceProfileArn",),
    ),
    "AWS::Bedrock::Guardrail": (_identifier("guardrail"), ("GuardrailId",)),
    "AWS::Bedrock::GuardrailVersion": (_identifier("guardrail-version-"), ("Version",)),
    "AWS::EC2::EIP": (_identifier("eipalloc-"), ("AllocationId",)),
    "AWS::EC2::FlowLog": (_identifier("fl-"), ("Id",)),
    "AWS::EC2::NatGateway": (_identifier("nat-"), ("NatGatewayId",)),
    "AWS::EC2::SecurityGroupEgress": (_identifier("sgr-"), ("Id",)),
    "AWS::EC2::SecurityGroupIngress": (_identifier("sgr-"), ("Id",)),
    "AWS::ECS::ClusterCapacityProviderAssociations": (_identifier("capacity-providers-"), ()),
    "AWS::EKS::AccessEntry": (_arn("eks", "access-entry"), ("AccessEntryArn",)),
    "AWS::EKS::Addon": (_arn("eks", "addon"), ("Arn",)),
    "AWS::EKS::PodIdentityAssociation": (_identifier("a-"), ("AssociationId",)),
    "AWS::Route53::HealthCheck": (new_uuid, ("HealthCheckId",)),
    "AWS::SecretsManager::ResourcePolicy": (_identifier("secret-policy-"), ("Id",)),
    "AWS::WAFv2::IPSet": (_arn("wafv2", "ipset"), ("Arn", "Id")),
    "AWS::WAFv2::LoggingConfiguration": (_arn("wafv2", "logging"), ()),
    "AWS::WAFv2::WebACLAssociation": (_identifier("web-acl-association-"), ()),
}


class Records:
    """What the stand-ins hold, also as a JSON file: `stack/logical ID` → its type and deployed properties."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._by_resource: dict[str, dict[str, Any]] = {}
        self._by_physical_id: dict[str, str] = {}
        self._lock = threading.Lock()  # stacks deploy at the same time
        self._write()

    def put(self, physical_id: str, resource: str, resource_type: str, properties: Properties) -> None:
        """Remember one resource under its physical ID."""
        with self._lock:
            self._by_physical_id[physical_id] = resource
            self._by_resource[resource] = {"type": resource_type, "properties": properties}
            self._write()

    def remove(self, physical_id: str) -> None:
        """Forget one resource; a physical ID that is not known is no error, as in CloudFormation."""
        with self._lock:
            self._by_resource.pop(self._by_physical_id.pop(physical_id, ""), None)
            self._write()

    def _write(self) -> None:
        self._path.write_text(json.dumps(self._by_resource, indent=1, sort_keys=True))


def register(handlers: dict[str, dict[str, Any]], records: Records) -> None:
    """Add a handler for every stand-in to MiniStack's table of resource handlers.

    Raises RuntimeError when MiniStack has learnt a type itself: the real thing is better than its stand-in.
    """
    native = sorted(STAND_INS.keys() & handlers.keys())
    if native:
        raise RuntimeError(
            f"MiniStack provides {', '.join(native)} itself: remove the stand-ins in {__file__}"
        )
    for resource_type in STAND_INS:
        handlers[resource_type] = _handler(resource_type, records)


def _handler(resource_type: str, records: Records) -> dict[str, Any]:
    new_physical_id, attribute_names = STAND_INS[resource_type]

    def attributes(physical_id: str) -> Attributes:
        return dict.fromkeys(attribute_names, physical_id)

    def create(logical_id: str, properties: Properties, stack_name: str) -> tuple[str, Attributes]:
        physical_id = new_physical_id()
        records.put(physical_id, f"{stack_name}/{logical_id}", resource_type, properties)
        return physical_id, attributes(physical_id)

    def update(
        physical_id: str, _old: Properties, new: Properties, stack_name: str, logical_id: str
    ) -> tuple[str, Attributes]:
        records.put(physical_id, f"{stack_name}/{logical_id}", resource_type, new)
        return physical_id, attributes(physical_id)

    def delete(physical_id: str, _properties: Properties) -> None:
        records.remove(physical_id)

    return {"create": create, "update": update, "update_with_logical_id": True, "delete": delete}
