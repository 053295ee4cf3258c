"""How much of what an environment's templates use in a month."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from gatehouse.kubernetes.versions import days_of_support
from operations.assembly import Resource, Stack
from operations.cost.prices import Prices
from operations.cost.traffic import Traffic


@dataclass(frozen=True, kw_only=True)
class Use:
    """So many units of an item; `usd` is the unit's price where the table of items does not say it."""

    item: str
    amount: float
    usd: float | None = None


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What a resource's use depends on besides its own properties.

    database_gb: the storage of the environment's database, which a replica has as well.
    """

    stack: Stack
    prices: Prices
    traffic: Traffic
    today: date
    database_gb: int = 0

    @property
    def hours(self) -> int:
        """A month's."""
        return self.prices.hours_a_month


# Between two requests of a health check, where 30 is the rule.
_FAST_SECONDS = 10

Rule = Callable[[Mapping[str, Any], Surroundings], Iterator[Use]]


def uses(resource: Resource, around: Surroundings) -> Iterator[Use]:
    """Yield what one resource uses; nothing for a type that costs nothing by itself."""
    if (rule := _RULES.get(resource.type)) is not None:
        yield from rule(resource.properties, around)


def is_known(resource_type: str) -> bool:
    """Whether it was decided what a type of resource costs."""
    return resource_type in _RULES or resource_type.startswith(FREE)


def _nat_gateway(_: Mapping[str, Any], around: Surroundings) -> Iterator[Use]:
    yield Use(item="nat_gateway_hour", amount=around.hours)
    gateways = len(around.stack.of_type("AWS::EC2::NatGateway"))
    yield Use(item="nat_gb", amount=around.traffic.nat_gb / gateways)


def _address(_: Mapping[str, Any], around: Surroundings) -> Iterator[Use]:
    yield Use(item="public_ipv4_hour", amount=around.hours)


def _endpoint(properties: Mapping[str, Any], around: Surroundings) -> Iterator[Use]:
    if properties.get("VpcEndpointType") != "Interface":
        return
    yield Use(item="interface_endpoint_hour", amount=len(properties["SubnetIds"]) * around.hours)
    if "bedrock-runtime" in str(properties["ServiceName"]):
        yield Use(item="interface_endpoint_gb", amount=around.traffic.in_gb + around.traffic.out_gb)


def _load_balancer(properties: Mapping[str, Any], around: Surroundings) -> Iterator[Use]:
    yield Use(item="alb_hour", amount=around.hours)
    # Of an LCU's four measures it is the gigabytes that an LLM's callers use most of.
    yield Use(item="alb_lcu_hour", amount=around.traffic.in_gb + around.traffic.out_gb)
    if properties.get("Scheme") == "internet-facing":
        yield Use(item="public_ipv4_hour", amount=len(properties["Subnets"]) * around.hours)
        yield Use(item="data_out_gb", amount=around.traffic.out_gb)


def _web_acl(properties: Mapping[str, Any], around: Surroundings) -> Iterator[Use]:
    yield Use(item="waf_web_acl", amount=1)
    yield Use(item="waf_rule", amount=len(properties["Rules"]))
    yield Use(item="waf_million_requests", amount=around.traffic.requests / 1e6)
    text = str(properties["Rules"])
    if "AWSManagedRulesBotControlRuleSet" in text:
        yield Use(item="waf_bot_control", amount=1)
    if "AWSManagedRulesAntiDDoSRuleSet" in text:
        yield Use(item="waf_anti_ddos", amount=1)


def _database(properties: Mapping[str, Any], around: Surroundings) -> Iterator[Use]:
    instances = 2 if properties.get("MultiAZ") else 1
    node_type = properties["DBInstanceClass"].removeprefix("db.")
    price = around.prices.node_hour("database_hour", node_type)
    yield Use(item=f"database {node_type}", amount=instances * around.hours, usd=price)
    storage = int(properties.get("AllocatedStorage", around.database_gb))
    yield Use(item="rds_gp3_gb", amount=instances * storage)
    if "SourceDBInstanceIdentifier" in properties:
        yield Use(item="other_region_gb", amount=around.traffic.change_gb)
    if "AutomaticBackupReplicationRegion" in properties:
        yield Use(item="other_region_gb", amount=around.traffic.change_gb)
        yield Use(item="rds_backup_gb", amount=around.traffic.backup_gb)


def _cache(properties: Mapping[str, Any], around: Surroundings) -> Iterator[Use]:
    nodes = properties.get("NumNodeGroups", 1) * (properties.get("ReplicasPerNodeGroup", 0) + 1)
    node_type = properties["CacheNodeType"]
    price = around.prices.node_hour("cache_node_hour", node_type)
    yield Use(item=node_type, amount=nodes * around.hours, usd=price)


def _service(properties: Mapping[str, Any], around: Surroundings) -> Iterator[Use]:
    definition = around.stack.resources[properties["TaskDefinition"]["Ref"]].properties
    targets = around.stack.of_type("AWS::ApplicationAutoScaling::ScalableTarget")
    tasks = targets[0].properties["MinCapacity"] if targets else properties.get("DesiredCount", 1)
    architecture = definition["RuntimePlatform"]["CpuArchitecture"].lower()
    hours = tasks * around.hours * _share_paid(properties, around.prices)
    yield Use(item=f"fargate_{architecture}_vcpu_hour", amount=hours * int(definition["Cpu"]) / 1024)
    yield Use(item=f"fargate_{architecture}_gb_hour", amount=hours * int(definition["Memory"]) / 1024)
    yield Use(item="logs_gb", amount=around.traffic.requests * around.traffic.log_kb / 1e6)


def _cluster(properties: Mapping[str, Any], around: Surroundings) -> Iterator[Use]:
    yield Use(item="eks_cluster_hour", amount=around.hours)
    if days_of_support(properties["Version"], around.today) <= 0:
        yield Use(item="eks_extended_support_hour", amount=around.hours)
    yield Use(item="logs_gb", amount=around.traffic.cluster_log_gb)


def _share_paid(service: Mapping[str, Any], prices: Prices) -> float:
    providers = service.get("CapacityProviderStrategy", ())
    weights: dict[str, int] = {each["CapacityProvider"]: each.get("Weight", 0) for each in providers}
    if not sum(weights.values()):
        return 1.0
    spot = weights.get("FARGATE_SPOT", 0) / sum(weights.values())
    return 1 - spot + spot * prices.fargate_spot_share


def _alarm(properties: Mapping[str, Any], _: Surroundings) -> Iterator[Use]:
    metrics = [each for each in properties.get("Metrics", ()) if "MetricStat" in each]
    fast = properties.get("Period", 60) < 60
    yield Use(item="alarm_metric_fast" if fast else "alarm_metric", amount=len(metrics) or 1)


def _user_pool(properties: Mapping[str, Any], around: Surroundings) -> Iterator[Use]:
    tier = properties.get("UserPoolTier", "ESSENTIALS").lower()
    yield Use(item=f"cognito_person_{tier}", amount=around.traffic.people)


def _one(item: str) -> Rule:
    def rule(_properties: Mapping[str, Any], _around: Surroundings) -> Iterator[Use]:
        yield Use(item=item, amount=1)

    return rule


def _secret(properties: Mapping[str, Any], _: Surroundings) -> Iterator[Use]:
    yield Use(item="secret", amount=1 + len(properties.get("ReplicaRegions", ())))


def _bucket(properties: Mapping[str, Any], around: Surroundings) -> Iterator[Use]:
    for rule in properties.get("ReplicationConfiguration", {}).get("Rules", ()):
        yield Use(item="other_region_gb", amount=around.traffic.objects_gb)
        if "ReplicationTime" in rule["Destination"]:
            yield Use(item="s3_replication_time_gb", amount=around.traffic.objects_gb)


def _access_point(_: Mapping[str, Any], around: Surroundings) -> Iterator[Use]:
    yield Use(item="s3_access_point_gb", amount=around.traffic.objects_gb)


def _health_check(properties: Mapping[str, Any], _: Surroundings) -> Iterator[Use]:
    config = properties["HealthCheckConfig"]
    yield Use(item="health_check", amount=1)
    options = (
        config["Type"].startswith("HTTPS"),
        config["Type"].endswith("STR_MATCH"),
        config.get("RequestInterval") == _FAST_SECONDS,
        config.get("MeasureLatency", False),
    )
    yield Use(item="health_check_option", amount=sum(options))


def _backups(_: Mapping[str, Any], around: Surroundings) -> Iterator[Use]:
    yield Use(item="backup_gb", amount=around.traffic.backup_gb)


def _images(_: Mapping[str, Any], around: Surroundings) -> Iterator[Use]:
    yield Use(item="ecr_gb", amount=around.traffic.image_gb)


_RULES: Mapping[str, Rule] = {
    "AWS::ARCRegionSwitch::Plan": _one("region_switch_plan"),
    "AWS::Backup::BackupVault": _backups,
    "AWS::CloudWatch::Alarm": _alarm,
    "AWS::Cognito::UserPool": _user_pool,
    "AWS::EC2::EIP": _address,
    "AWS::EC2::NatGateway": _nat_gateway,
    "AWS::EC2::VPCEndpoint": _endpoint,
    "AWS::ECR::Repository": _images,
    "AWS::ECS::Service": _service,
    "AWS::EKS::Cluster": _cluster,
    "AWS::ElastiCache::ReplicationGroup": _cache,
    "AWS::ElasticLoadBalancingV2::LoadBalancer": _load_balancer,
    "AWS::KMS::Key": _one("kms_key"),
    "AWS::KMS::ReplicaKey": _one("kms_key"),
    "AWS::RDS::DBInstance": _database,
    "AWS::Route53::HealthCheck": _health_check,
    "AWS::S3::Bucket": _bucket,
    "AWS::S3::MultiRegionAccessPoint": _access_point,
    "AWS::SecretsManager::Secret": _secret,
    "AWS::WAFv2::WebACL": _web_acl,
}
# These cost nothing by themselves, or so little at this size that no choice depends on it: cents for calls,
# objects, messages and functions' milliseconds. What ends in :: stands for all of a service.
FREE = (
    "AWS::AppConfig::",
    "AWS::ApplicationAutoScaling::",
    "AWS::Backup::BackupPlan",
    "AWS::Backup::BackupSelection",
    "AWS::Bedrock::",
    "AWS::CertificateManager::",
    "AWS::CloudTrail::",
    "AWS::Cognito::",
    "AWS::EC2::EgressOnlyInternetGateway",
    "AWS::EC2::FlowLog",
    "AWS::EC2::InternetGateway",
    "AWS::EC2::Route",
    "AWS::EC2::SecurityGroup",
    "AWS::EC2::Subnet",
    "AWS::EC2::VPC",
    "AWS::ECR::",
    "AWS::ECS::",
    "AWS::EKS::",
    "AWS::ElastiCache::",
    "AWS::ElasticLoadBalancingV2::",
    "AWS::Events::",
    "AWS::IAM::",
    "AWS::KMS::Alias",
    "AWS::Lambda::",
    "AWS::Logs::",
    "AWS::RDS::DBParameterGroup",
    "AWS::RDS::DBSubnetGroup",
    "AWS::Route53::",
    "AWS::S3::",
    "AWS::SES::",
    "AWS::SNS::",
    "AWS::SecretsManager::",
    "AWS::Signer::",
    "AWS::WAFv2::",
    "Custom::",
)
