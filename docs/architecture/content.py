"""Which resources the architecture picture names, and how."""

import json
import re
from dataclasses import replace
from typing import Any

from gatehouse import names
from operations.assembly import Resource, Stack

_ENGINES = {"postgres": "PostgreSQL", "valkey": "Valkey"}

# A type that is in none of these tables stops the drawing, so that nothing new is left out unseen.
_NAMES = {
    "AWS::ARCRegionSwitch::Plan": "Region switch plan",
    "AWS::AppConfig::ConfigurationProfile": "AppConfig: model catalog",
    "AWS::ApplicationAutoScaling::ScalableTarget": "Auto Scaling: {MinCapacity} to {MaxCapacity} tasks",
    "AWS::Backup::BackupVault": "AWS Backup vault",
    "AWS::CertificateManager::Certificate": "ACM certificate",
    "AWS::CloudTrail::Trail": "CloudTrail trail",
    "AWS::CloudWatch::Alarm": "CloudWatch alarm",
    "AWS::Cognito::UserPool": "Cognito user pool",
    "AWS::Cognito::UserPoolRegionalConfigurationAttachment": "Cognito replica",
    "AWS::ECR::Repository": "ECR repository",
    "AWS::ECR::SigningConfiguration": "image signing",
    "AWS::ECS::Service": "ECS service on Fargate",
    "AWS::ElastiCache::ReplicationGroup": "ElastiCache for {Engine}",
    "AWS::ElasticLoadBalancingV2::LoadBalancer": "Application Load Balancer",
    "AWS::KMS::Key": "KMS key",
    "AWS::KMS::ReplicaKey": "KMS replica key",
    "AWS::Logs::LogGroup": "CloudWatch log group",
    "AWS::RDS::DBInstance": "RDS for {Engine}",
    "AWS::Route53::RecordSet": "Route 53 record",
    "AWS::S3::Bucket": "S3 bucket",
    "AWS::S3::MultiRegionAccessPoint": "multi-region access point",
    "AWS::SES::EmailIdentity": "SES identity",
    "AWS::SNS::Topic": "SNS topic",
    "AWS::SecretsManager::Secret": "Secrets Manager secret",
    "AWS::WAFv2::WebACL": "WAF web ACL",
    "Custom::DatabaseMigration": "ECS task: schema migrations",
    "Custom::ModelInvocationLogging": "invocation log setting",
}
_ALSO_DRAWN = {"AWS::EC2::NatGateway", "AWS::EC2::SecurityGroup", "AWS::EC2::VPC", "AWS::EC2::VPCEndpoint"}
_NOT_DRAWN = {
    "AWS::AppConfig::Application",
    "AWS::AppConfig::Deployment",
    "AWS::AppConfig::DeploymentStrategy",
    "AWS::AppConfig::Environment",
    "AWS::AppConfig::HostedConfigurationVersion",
    "AWS::ApplicationAutoScaling::ScalingPolicy",
    "AWS::Backup::BackupPlan",
    "AWS::Backup::BackupSelection",
    "AWS::Cognito::LogDeliveryConfiguration",
    "AWS::Cognito::ManagedLoginBranding",
    "AWS::Cognito::UserPoolClient",
    "AWS::Cognito::UserPoolDomain",
    "AWS::Cognito::UserPoolGroup",
    "AWS::Cognito::UserPoolReplica",
    "AWS::Cognito::UserPoolResourceServer",
    "AWS::Cognito::UserPoolRiskConfigurationAttachment",
    "AWS::EC2::EIP",
    "AWS::EC2::FlowLog",
    "AWS::EC2::InternetGateway",
    "AWS::EC2::Route",
    "AWS::EC2::RouteTable",
    "AWS::EC2::SecurityGroupEgress",
    "AWS::EC2::SecurityGroupIngress",
    "AWS::EC2::Subnet",
    "AWS::EC2::SubnetRouteTableAssociation",
    "AWS::EC2::VPCGatewayAttachment",
    "AWS::ECR::ReplicationConfiguration",
    "AWS::ECS::Cluster",
    "AWS::ECS::ClusterCapacityProviderAssociations",
    "AWS::ECS::TaskDefinition",
    "AWS::ElastiCache::ParameterGroup",
    "AWS::ElastiCache::SubnetGroup",
    "AWS::ElastiCache::User",
    "AWS::ElastiCache::UserGroup",
    "AWS::ElasticLoadBalancingV2::Listener",
    "AWS::ElasticLoadBalancingV2::ListenerRule",
    "AWS::ElasticLoadBalancingV2::TargetGroup",
    "AWS::Events::Rule",
    "AWS::IAM::ManagedPolicy",
    "AWS::IAM::Policy",
    "AWS::IAM::Role",
    "AWS::KMS::Alias",
    "AWS::Lambda::EventInvokeConfig",
    "AWS::Lambda::Function",
    "AWS::Lambda::Permission",
    "AWS::Logs::MetricFilter",
    "AWS::Logs::ResourcePolicy",
    "AWS::RDS::DBParameterGroup",
    "AWS::RDS::DBSubnetGroup",
    "AWS::Route53::HealthCheck",
    "AWS::S3::BucketPolicy",
    "AWS::SES::ConfigurationSet",
    "AWS::SES::ConfigurationSetEventDestination",
    "AWS::SNS::TopicPolicy",
    "AWS::SecretsManager::ResourcePolicy",
    "AWS::SecretsManager::SecretTargetAttachment",
    "AWS::Signer::SigningProfile",
    "AWS::WAFv2::LoggingConfiguration",
    "AWS::WAFv2::WebACLAssociation",
    "Custom::AccessPointRoutes",
    "Custom::BucketReplication",
    "Custom::EmptyDefaultSecurityGroup",
    "Custom::PlanHealthChecks",
    "Custom::OtherRegionOutputs",
    "Custom::VerifiedMailDomain",
}


_MODEL_ACCESS = "ModelAccess"
_STANDBY = names.standby_stack("")


def with_one_model_access(stacks: dict[str, Stack]) -> dict[str, Stack]:
    """The stacks, those of all accounts and regions with models as one: a catalog says how many there are."""
    found = {name: stack for name, stack in stacks.items() if name.startswith(f"{_MODEL_ACCESS}-")}
    resources = {f"{name}/{id_}": each for name, s in found.items() for id_, each in s.resources.items()}
    after = tuple(sorted({before for stack in found.values() for before in stack.after}))
    others = {name: stack for name, stack in stacks.items() if name not in found}
    return {**others, _MODEL_ACCESS: Stack(_MODEL_ACCESS, after, resources)} if found else others


def by_region(stacks: dict[str, Stack]) -> tuple[dict[str, Stack], dict[str, Stack]]:
    """The stacks of the environment's own region, and its standby's by the names that those there have.

    Each comes after stacks of its own region alone: those of the other matter to a first deployment only.
    """
    primary = {name: stack for name, stack in stacks.items() if not name.startswith(_STANDBY)}
    standby = {
        name.removeprefix(_STANDBY): replace(stack, name=name.removeprefix(_STANDBY))
        for name, stack in stacks.items()
        if name.startswith(_STANDBY)
    }
    alone = {
        name: replace(stack, after=tuple(before for before in stack.after if before in primary))
        for name, stack in primary.items()
    }
    return alone, standby


def named_resources(stack: Stack) -> dict[str, str]:
    """Return a line for each named type of a stack's resources, with their number if there are several.

    Raises ValueError for a type that no table knows.
    """
    types = {resource.type for resource in stack.resources.values()}
    if unknown := types - _NAMES.keys() - _ALSO_DRAWN - _NOT_DRAWN:
        kinds = ", ".join(sorted(unknown))
        raise ValueError(f"stack {stack.name} holds {kinds}: say in {__name__} whether the picture names it")
    return {kind: _line(stack.of_type(kind), kind) for kind in sorted(types & _NAMES.keys())}


def endpoint_services(network: Stack) -> list[str]:
    """Return the AWS services that have a VPC endpoint, as the last words of their names."""
    endpoints = network.of_type("AWS::EC2::VPCEndpoint")
    names = (_text(endpoint.properties["ServiceName"]) for endpoint in endpoints)
    return sorted(name.removeprefix("com.amazonaws.").partition(".")[2] for name in names)


def subnets(stack: Stack, kind: str) -> str:
    """Say in which kind of subnets a stack's resource of one type is.

    Raises ValueError if it refers to subnets of no kind or of several.
    """
    (resource,) = stack.of_type(kind)
    kinds = set(re.findall(r"Vpc([a-z]+)Subnet", json.dumps(resource.properties)))
    if len(kinds) != 1:
        raise ValueError(f"{kind} in {stack.name} is in subnets of {len(kinds)} kinds: {sorted(kinds)}")
    return f"in the {kinds.pop()} subnets"


def _line(resources: list[Resource], kind: str) -> str:
    properties = resources[0].properties
    words = {**properties, "Engine": _ENGINES.get(properties.get("Engine", ""))}
    is_replica = "SourceDBInstanceIdentifier" in properties
    name = "RDS read replica" if is_replica else _NAMES[kind].format_map(words)
    return f"{len(resources)} {name}s" if len(resources) > 1 else name


def _text(value: Any) -> str:
    if isinstance(value, dict):  # {"Fn::Join": ["", parts]} with the region as a {"Ref": ...}
        return "".join(part if isinstance(part, str) else "region" for part in value["Fn::Join"][1])
    return str(value)
