"""The EKS cluster that the gateway runs on."""

from collections.abc import Sequence
from typing import Literal

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_eks as eks
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from constructs import Construct

from gatehouse.findings import acknowledge
from gatehouse.kubernetes.add_ons import AddOns
from gatehouse.kubernetes.api_access import administrator_entry, everywhere, secret_sync_rights
from gatehouse.kubernetes.cluster_reference import ClusterReference
from gatehouse.kubernetes.cluster_roles import cluster_role, node_role
from gatehouse.kubernetes.existing_cluster import cluster_arn
from gatehouse.kubernetes.node_pool import SYSTEM, node_manifests

HTTPS = 443
LOG_TYPES = ("api", "audit", "authenticator", "controllerManager", "scheduler")


class GatewayCluster(Construct):
    """An EKS cluster in Auto Mode: AWS runs its control plane, its nodes and what registers pods as targets.

    Its API is private, and beside that public for `public_endpoint_cidrs` alone. It admits the roles in
    `administrator_role_arns`, and nobody else: not even who made the cluster. Nodes of the gateway's pods are
    in `service_security_group`, those of add-ons are not; `endpoints_security_group` admits both. Pods are
    registered with `target_groups` and with no others that the platform made. `secret_key` encrypts
    Kubernetes Secrets and the disks of the gateway's nodes. `sync_secrets` is for images that read secrets
    from variables alone. `container_logs` is the log group of all containers.

    Made of L1 constructs: the L2 cluster tags subnets, which are another stack's, and adds a security group.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        version: str,
        vpc: ec2.IVpc,
        subnets: ec2.SubnetSelection,
        service_security_group: ec2.ISecurityGroup,
        endpoints_security_group: ec2.ISecurityGroup,
        zones: Sequence[str],
        cpu_architecture: Literal["arm64", "x86_64"],
        public_endpoint_cidrs: Sequence[str],
        administrator_role_arns: Sequence[str],
        deletion_protection: bool,
        target_groups: Sequence[elbv2.ITargetGroup],
        sync_secrets: bool,
        secret_key: kms.IKey,
        log_key: kms.IKey,
        log_retention: logs.RetentionDays,
        removal_policy: cdk.RemovalPolicy,
    ) -> None:
        super().__init__(scope, construct_id)
        own_arn = cluster_arn(self, name)
        role = cluster_role(
            self, "Role", cluster_arn=own_arn, secret_key=secret_key, target_groups=target_groups
        )
        log_group = logs.LogGroup(
            self,
            "LogGroup",
            # The name that EKS writes to; it would make the group itself, without a key and for ever.
            log_group_name=f"/aws/eks/{name}/cluster",
            encryption_key=log_key,
            retention=log_retention,
            removal_policy=removal_policy,
        )
        subnet_ids = vpc.select_subnets(subnet_group_name=subnets.subnet_group_name).subnet_ids
        self._cluster = self._make_cluster(
            name=name,
            version=version,
            role=role,
            subnet_ids=subnet_ids,
            public_endpoint_cidrs=public_endpoint_cidrs,
            deletion_protection=deletion_protection,
            secret_key=secret_key,
        )
        nodes = node_role(self, "NodeRole")
        # That of nodes goes after the cluster, whose instance profiles may hold it until then.
        self._cluster.node.add_dependency(role, nodes, log_group)
        self._admit_administrators(administrator_role_arns)
        security_group = ec2.SecurityGroup.from_security_group_id(
            self, "SecurityGroup", self._cluster.attr_cluster_security_group_id
        )
        add_ons = AddOns(
            self,
            "AddOns",
            cluster_name=name,
            cluster=self._cluster,
            cluster_arn=own_arn,
            sync_secrets=sync_secrets,
            log_key=log_key,
            log_retention=log_retention,
            removal_policy=removal_policy,
        )
        # Without a way to the endpoints no image of theirs is pulled.
        add_ons.node.add_dependency(self._open_endpoints(endpoints_security_group, security_group))
        self.container_logs = add_ons.container_logs
        self.reference = ClusterReference(
            name=self._cluster.ref,
            arn=own_arn,
            security_group=security_group,
            identity="pod-identity",
            oidc_provider=None,
            load_balancing="auto-mode",
            manifests=[
                *node_manifests(
                    role_name=nodes.role_name,
                    subnet_ids=subnet_ids,
                    security_group_ids=[
                        security_group.security_group_id,
                        service_security_group.security_group_id,
                    ],
                    encryption_key_arn=secret_key.key_arn,
                    zones=zones,
                    cpu_architecture=cpu_architecture,
                ),
                *(secret_sync_rights() if sync_secrets else ()),
            ],
            ready=[self._admit_nodes(nodes), *add_ons.ready],
        )

    def _make_cluster(
        self,
        *,
        name: str,
        version: str,
        role: iam.Role,
        subnet_ids: Sequence[str],
        public_endpoint_cidrs: Sequence[str],
        deletion_protection: bool,
        secret_key: kms.IKey,
    ) -> eks.CfnCluster:
        of = eks.CfnCluster
        cluster = of(
            self,
            "Cluster",
            name=name,
            version=version,
            role_arn=role.role_arn,
            resources_vpc_config=_network(subnet_ids, public_endpoint_cidrs),
            access_config=of.AccessConfigProperty(
                authentication_mode="API", bootstrap_cluster_creator_admin_permissions=False
            ),
            # Auto Mode: these three together, and nothing of it installed by hand.
            compute_config=_compute(node_role(self, "SystemNodeRole")),
            storage_config=of.StorageConfigProperty(block_storage=of.BlockStorageProperty(enabled=True)),
            kubernetes_network_config=of.KubernetesNetworkConfigProperty(
                elastic_load_balancing=of.ElasticLoadBalancingProperty(enabled=True)
            ),
            bootstrap_self_managed_addons=False,
            encryption_config=_encryption(secret_key),
            logging=_logging(),
            deletion_protection=deletion_protection,
            zonal_shift_config=of.ZonalShiftConfigProperty(enabled=True),
            # STANDARD would move the cluster to the next version by itself at the end of support, behind the
            # template's back, which could not name the older one any more. A test fails before that day.
            upgrade_policy=of.UpgradePolicyProperty(support_type="EXTENDED"),
        )
        if public_endpoint_cidrs:
            acknowledge(
                cluster,
                {"EKS1": "The configuration names the networks that reach the API; signing in takes a role."},
            )
        return cluster

    def _open_endpoints(
        self, endpoints: ec2.ISecurityGroup, nodes: ec2.ISecurityGroup
    ) -> ec2.CfnSecurityGroupIngress:
        """A rule of this stack: the endpoints' may be another, on which this one depends."""
        return ec2.CfnSecurityGroupIngress(
            self,
            "ToEndpoints",
            group_id=endpoints.security_group_id,
            source_security_group_id=nodes.security_group_id,
            ip_protocol="tcp",
            from_port=HTTPS,
            to_port=HTTPS,
            description="From nodes of the cluster",
        )

    def _admit_administrators(self, role_arns: Sequence[str]) -> None:
        for role_arn in role_arns:
            # By a number, a role that moves up the list would be admitted a second time, which EKS refuses.
            administrator_entry(
                self, f"Administrator-{role_arn}", cluster_name=self._cluster.ref, role_arn=role_arn
            )

    def _admit_nodes(self, role: iam.Role) -> eks.CfnAccessEntry:
        """EKS does it by itself for the nodes of its own pool alone."""
        return eks.CfnAccessEntry(
            self,
            "Nodes",
            cluster_name=self._cluster.ref,
            principal_arn=role.role_arn,
            type="EC2",
            access_policies=[everywhere(self, "AmazonEKSAutoNodePolicy")],
        )


def _network(
    subnet_ids: Sequence[str], public_endpoint_cidrs: Sequence[str]
) -> eks.CfnCluster.ResourcesVpcConfigProperty:
    return eks.CfnCluster.ResourcesVpcConfigProperty(
        subnet_ids=list(subnet_ids),
        endpoint_private_access=True,
        endpoint_public_access=bool(public_endpoint_cidrs),
        public_access_cidrs=list(public_endpoint_cidrs) or None,
    )


def _compute(system_nodes: iam.Role) -> eks.CfnCluster.ComputeConfigProperty:
    """With the one pool of EKS's own whose nodes are for add-ons: they start before the gateway's nodes."""
    return eks.CfnCluster.ComputeConfigProperty(
        enabled=True, node_pools=[SYSTEM], node_role_arn=system_nodes.role_arn
    )


def _encryption(key: kms.IKey) -> list[eks.CfnCluster.EncryptionConfigProperty]:
    provider = eks.CfnCluster.ProviderProperty(key_arn=key.key_arn)
    return [eks.CfnCluster.EncryptionConfigProperty(provider=provider, resources=["secrets"])]


def _logging() -> eks.CfnCluster.LoggingProperty:
    types = [eks.CfnCluster.LoggingTypeConfigProperty(type=log) for log in LOG_TYPES]
    return eks.CfnCluster.LoggingProperty(
        cluster_logging=eks.CfnCluster.ClusterLoggingProperty(enabled_types=types)
    )
