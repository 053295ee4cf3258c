"""What a cluster needs beside the gateway: EKS add-ons, which AWS keeps compatible with it."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_eks as eks
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from constructs import Construct, IDependable

from gatehouse.findings import acknowledge
from gatehouse.kubernetes.node_pool import SYSTEM
from gatehouse.kubernetes.pod_role import pods_of_cluster

LOG_NAMESPACE = "amazon-cloudwatch"
LOG_SERVICE_ACCOUNT = "cloudwatch-agent"
# What the add-on writes: logs of containers, of what runs beside them, of nodes; and metrics as log events.
LOGS = ("application", "dataplane", "host", "performance")


class AddOns(Construct):
    """Metrics of pods for the autoscaler, secrets as files, and logs and Container Insights in CloudWatch.

    Of each EKS installs the version that it has tested with the cluster's. Which one that is its API alone
    knows: a version named here could be refused. It stays until somebody updates it. `cluster_name` is known
    before the cluster, as are the log groups that carry it: they are there before anything is written, with
    `log_key` and `log_retention`. `container_logs` is that of the containers. `sync_secrets` lets secrets
    become Kubernetes Secrets, for images that read variables and no files.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        cluster_name: str,
        cluster: eks.CfnCluster,
        cluster_arn: str,
        sync_secrets: bool,
        log_key: kms.IKey,
        log_retention: logs.RetentionDays,
        removal_policy: cdk.RemovalPolicy,
    ) -> None:
        super().__init__(scope, construct_id)
        self._cluster = cluster
        log_groups = {
            log: logs.LogGroup(
                self,
                f"{log.capitalize()}Logs",
                log_group_name=f"/aws/containerinsights/{cluster_name}/{log}",
                encryption_key=log_key,
                retention=log_retention,
                removal_policy=removal_policy,
            )
            for log in LOGS
        }
        self.container_logs = log_groups["application"]
        writer = self._log_writer(cluster_arn, list(log_groups.values()))
        observability = self._add_on(
            "Observability",
            "amazon-cloudwatch-observability",
            # It would change the pods of every service to trace it; the gateway brings its own traces.
            {"manager": {"applicationSignals": {"autoMonitor": {"monitorAllServices": False}}}},
            roles={LOG_SERVICE_ACCOUNT: writer.role_arn},
        )
        observability.node.add_dependency(writer, *log_groups.values())
        secrets = self._add_on(
            "Secrets",
            "aws-secrets-store-csi-driver-provider",
            {"secrets-store-csi-driver": {"syncSecret": {"enabled": sync_secrets}}},
        )
        metrics = self._add_on("Metrics", "metrics-server", _on_system_nodes())
        self.ready: Sequence[IDependable] = (observability, secrets, metrics)

    def _add_on(
        self,
        construct_id: str,
        name: str,
        configuration: Mapping[str, Any],
        roles: Mapping[str, str] | None = None,
    ) -> eks.CfnAddon:
        return eks.CfnAddon(
            self,
            construct_id,
            addon_name=name,
            cluster_name=self._cluster.ref,
            configuration_values=json.dumps(configuration, separators=(",", ":")),
            resolve_conflicts="OVERWRITE",
            pod_identity_associations=[
                eks.CfnAddon.PodIdentityAssociationProperty(service_account=account, role_arn=role_arn)
                for account, role_arn in (roles or {}).items()
            ]
            or None,
        )

    def _log_writer(self, cluster_arn: str, log_groups: Sequence[logs.LogGroup]) -> iam.Role:
        """In place of AWS's managed policy, which may make and write every log group of the account."""
        role = iam.Role(
            self,
            "LogWriter",
            assumed_by=pods_of_cluster(
                self,
                cluster_arn,
                tags={
                    "kubernetes-namespace": LOG_NAMESPACE,
                    "kubernetes-service-account": LOG_SERVICE_ACCOUNT,
                },
            ),
        )
        role.add_to_policy(
            iam.PolicyStatement(
                actions=["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
                resources=[group.log_group_arn for group in log_groups],
            )
        )
        role.add_to_policy(
            iam.PolicyStatement(
                actions=["cloudwatch:PutMetricData"],
                resources=["*"],
                conditions={"StringEquals": {"cloudwatch:namespace": "ContainerInsights"}},
            )
        )
        role.add_to_policy(
            iam.PolicyStatement(actions=["ec2:DescribeTags", "ec2:DescribeVolumes"], resources=["*"])
        )
        acknowledge(
            role,
            {
                "IAM5[Resource::*]": "Neither metrics nor describing tags and volumes takes a resource; "
                "metrics go into one namespace."
            },
        )
        return role


def _on_system_nodes() -> dict[str, Any]:
    return {
        "nodeSelector": {"karpenter.sh/nodepool": SYSTEM},
        "tolerations": [{"key": "CriticalAddonsOnly", "operator": "Exists"}],
    }
