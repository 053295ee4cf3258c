"""The gateway as pods on EKS."""

from collections.abc import Sequence
from dataclasses import dataclass

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from constructs import Construct

from gatehouse import names
from gatehouse.collector import Telemetry
from gatehouse.container_settings import default_port
from gatehouse.kubernetes.api_access import grant_api_access
from gatehouse.kubernetes.applied_manifests import AppliedManifests, ManifestFunction
from gatehouse.kubernetes.cluster import GatewayCluster
from gatehouse.kubernetes.cluster_reference import ClusterReference
from gatehouse.kubernetes.existing_cluster import existing_cluster
from gatehouse.kubernetes.manifest import Manifest
from gatehouse.kubernetes.pod_role import PodRole
from gatehouse.kubernetes.workload import gateway as gateway_manifests
from gatehouse.kubernetes.workload import prerequisites
from gatehouse.kubernetes.workload_inputs import GATEWAY, MIGRATIONS, Workload
from gatehouse.network import Network
from stacks.compute.gateway import Gateway
from stacks.compute.manifest_values import manifest_outputs
from stacks.compute.recovery_actions import add_data_actions
from stacks.compute.recovery_actions_eks import add_eks_actions
from stacks.config.model import Environment
from stacks.images import gateway_image_uri
from stacks.lifetimes import log_retention, removal_policy


@dataclass(frozen=True, kw_only=True)
class _Manifests:
    """What is applied, in two steps: the catalog is deployed between them."""

    prerequisites: Sequence[Manifest]
    workload: Sequence[Manifest]


def run_on_eks(stack: cdk.Stack, gateway: Gateway) -> None:
    """Run the gateway as a Deployment, behind its migrations and the catalog that it starts with."""
    config = gateway.config
    if (existing := config.compute.existing) is not None:
        cluster = existing_cluster(
            stack,
            name=existing.name,
            security_group_id=existing.security_group_id,
            identity=existing.identity,
            oidc_provider=existing.oidc_provider,
            load_balancing=existing.load_balancing,
        )
    else:
        cluster = _new_cluster(stack, gateway)
    serving = _serving_role(stack, gateway, cluster)
    migrating = _migrating_role(stack, gateway, cluster)
    workload = _workload(stack, gateway, cluster, serving, migrating)
    manifests = _Manifests(
        prerequisites=[*cluster.manifests, *prerequisites(workload)], workload=gateway_manifests(workload)
    )
    manifest_outputs(stack, prerequisites=manifests.prerequisites, workload=manifests.workload)
    if config.compute.apply:
        _apply(stack, gateway, cluster, manifests, serving=serving, migrating=migrating)
    if config.standby_region is not None:
        add_data_actions(stack, gateway)
        add_eks_actions(stack, gateway, cluster)
    cdk.CfnOutput(stack, "ClusterName", value=cluster.name)
    cdk.CfnOutput(stack, "Namespace", value=config.compute.namespace)
    # Whom the roles of other accounts have to trust.
    cdk.CfnOutput(stack, "TaskRoleArn", value=serving.role.role_arn)


def _new_cluster(stack: cdk.Stack, gateway: Gateway) -> ClusterReference:
    config = gateway.config
    cluster = GatewayCluster(
        stack,
        "Cluster",
        name=names.cluster(config.name),
        version=config.compute.kubernetes_version,
        vpc=gateway.network.vpc,
        subnets=gateway.network.service_subnets,
        service_security_group=gateway.security_groups.service,
        endpoints_security_group=gateway.security_groups.endpoints,
        zones=config.network.availability_zones,
        cpu_architecture=config.service.cpu_architecture,
        public_endpoint_cidrs=[str(cidr) for cidr in config.compute.public_endpoint_cidrs],
        administrator_role_arns=config.compute.administrator_role_arns,
        deletion_protection=config.termination_protection,
        target_groups=gateway.targets.groups,
        sync_secrets=gateway.profile.secrets_variable is None,
        secret_key=gateway.data_key,
        log_key=gateway.log_key,
        log_retention=log_retention(config),
        removal_policy=removal_policy(config),
    )
    cdk.CfnOutput(stack, "LogGroupName", value=cluster.container_logs.log_group_name)
    return cluster.reference


def _serving_role(stack: cdk.Stack, gateway: Gateway, cluster: ClusterReference) -> PodRole:
    config, profile = gateway.config, gateway.profile
    serving = PodRole(
        stack,
        "GatewayRole",
        cluster=cluster,
        namespace=config.compute.namespace,
        service_account=GATEWAY,
        role_name=names.task_role(config.name, config.region),
    )
    for statement in (*gateway.access.statements, *profile.permissions):
        serving.role.add_to_policy(statement)
    gateway.acknowledge_open_resources(serving.role)
    gateway.grant_backends(serving.role)
    # What mounts the secrets asks for them as the pod.
    profile.container.settings.grant_read(serving.role, gateway.data_key)
    return serving


def _migrating_role(stack: cdk.Stack, gateway: Gateway, cluster: ClusterReference) -> PodRole | None:
    """The role of the migrations, which sign in as the database's owner; None where there are none."""
    migrations, database = gateway.profile.migrations, gateway.data.database
    if migrations is None:
        return None
    migrating = PodRole(
        stack,
        "MigrationRole",
        cluster=cluster,
        namespace=gateway.config.compute.namespace,
        service_account=MIGRATIONS,
    )
    gateway.grant_database(migrating.role, database.owner)
    migrations.container.settings.grant_read(migrating.role, gateway.data_key)
    return migrating


def _workload(
    stack: cdk.Stack,
    gateway: Gateway,
    cluster: ClusterReference,
    serving: PodRole,
    migrating: PodRole | None,
) -> Workload:
    config, network = gateway.config, gateway.network
    telemetry = _telemetry(stack, gateway, serving)
    internet_facing = config.edge.scheme == "internet-facing"
    return Workload(
        namespace=config.compute.namespace,
        region=config.region,
        image_uri=gateway_image_uri(stack, config),
        profile=gateway.profile,
        collector_image_uri=config.service.collector_image,
        collector_configuration=telemetry.configuration if telemetry else None,
        cpu_units=config.service.cpu_units,
        memory_mib=config.service.memory_mib,
        cpu_architecture=config.service.cpu_architecture,
        minimum_pods=config.service.minimum_tasks,
        maximum_pods=config.service.maximum_tasks,
        drain_seconds=config.service.drain_minutes * 60,
        zones=config.network.availability_zones,
        cluster=cluster,
        has_own_nodes=config.compute.existing is None,
        target_group_arn=gateway.targets.groups[0].target_group_arn,
        load_balancer_cidrs=_cidrs(
            config, network, network.public_subnets if internet_facing else network.service_subnets
        ),
        backend_cidrs=_cidrs(config, network, network.data_subnets),
        database_port=default_port("database_port"),
        cache_port=default_port("cache_port"),
        has_ipv6=network.has_ipv6,
        gateway_annotations=serving.annotations,
        migration_annotations=migrating.annotations if migrating else {},
        resolve=stack.resolve,
    )


def _telemetry(stack: cdk.Stack, gateway: Gateway, serving: PodRole) -> Telemetry | None:
    config = gateway.config
    if config.service.collector_image is None:
        return None
    return Telemetry(
        Construct(stack, "Collector"),
        role=serving.role,
        environment=config.name,
        metrics_ports=gateway.profile.metrics_ports,
        log_key=gateway.log_key,
        log_retention=log_retention(config),
        removal_policy=removal_policy(config),
    )


def _cidrs(config: Environment, network: Network, subnets: ec2.SubnetSelection) -> Sequence[str]:
    if config.network.existing is not None:
        # Security groups tell its load balancer, database and cache from what else is in them.
        return [str(cidr) for cidr in config.network.existing.cidrs]
    selected = network.vpc.select_subnets(subnet_group_name=subnets.subnet_group_name)
    return [subnet.ipv4_cidr_block for subnet in selected.subnets]


def _apply(
    stack: cdk.Stack,
    gateway: Gateway,
    cluster: ClusterReference,
    manifests: _Manifests,
    *,
    serving: PodRole,
    migrating: PodRole | None,
) -> None:
    """Have CloudFormation apply the manifests, the workload once all is there that its pods need."""
    config = gateway.config
    function = ManifestFunction(
        stack,
        "ManifestFunction",
        cluster=cluster,
        vpc=gateway.network.vpc,
        subnets=gateway.network.service_subnets,
        endpoints_security_group=gateway.security_groups.endpoints,
        alarms=gateway.alarms,
        log_key=gateway.log_key,
        log_retention=log_retention(config),
        removal_policy=removal_policy(config),
    )
    admitted = grant_api_access(
        stack,
        "ManifestAccess",
        cluster=cluster,
        role=function.role,
        is_own=config.compute.existing is None,
    )
    before = AppliedManifests(
        stack, "Prerequisites", function=function, manifests=manifests.prerequisites, watch_alarms=False
    )
    before.resource.node.add_dependency(admitted, *cluster.ready, *(migrating.ready if migrating else ()))
    workload = AppliedManifests(
        stack, "Workload", function=function, manifests=manifests.workload, watch_alarms=True
    )
    # Without a rule that sends to its group no pod would count as healthy.
    workload.resource.node.add_dependency(before.resource, gateway.targets, *serving.ready)
    if gateway.models is not None:
        workload.resource.node.add_dependency(gateway.models.deployed)
        # The migrations take their minutes: the alarm that watches the first catalog has data by then.
        gateway.models.deployed.node.add_dependency(before.resource)
