"""Who may do what through a cluster's API."""

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_eks as eks
from aws_cdk import aws_iam as iam
from constructs import Construct

from gatehouse.kubernetes.cluster_reference import ClusterReference
from gatehouse.kubernetes.manifest import Manifest, labels

# Whom the owners of a cluster give the rights in `deployment_rights` to.
DEPLOYMENT_GROUP = "gatehouse-deployment"
# Whoever mounts secrets: all pods of the namespace that EKS runs that add-on in.
_SECRETS_GROUP = "system:serviceaccounts:aws-secrets-manager"
_SYNC_ROLE = "gatehouse-secret-sync"
_WRITE = ["get", "list", "create", "patch", "delete"]
_READ = ["get", "list"]
_RBAC = "rbac.authorization.k8s.io"


def administrator_entry(
    scope: Construct, construct_id: str, *, cluster_name: str, role_arn: str
) -> eks.CfnAccessEntry:
    """Let a role do everything in a cluster."""
    return eks.CfnAccessEntry(
        scope,
        construct_id,
        cluster_name=cluster_name,
        principal_arn=role_arn,
        access_policies=[everywhere(scope, "AmazonEKSClusterAdminPolicy")],
    )


def everywhere(scope: Construct, policy_name: str) -> eks.CfnAccessEntry.AccessPolicyProperty:
    """One of the access policies of EKS, for a whole cluster."""
    return eks.CfnAccessEntry.AccessPolicyProperty(
        policy_arn=f"arn:{cdk.Stack.of(scope).partition}:eks::aws:cluster-access-policy/{policy_name}",
        access_scope=eks.CfnAccessEntry.AccessScopeProperty(type="cluster"),
    )


def grant_api_access(
    scope: Construct, construct_id: str, *, cluster: ClusterReference, role: iam.IRole, is_own: bool
) -> eks.CfnAccessEntry:
    """Let the role that applies manifests do so.

    A cluster that is the platform's own (`is_own`) holds nothing else, and somebody has to make its nodes
    and its namespace: the role administers it, as EKS has no lesser policy for those. Elsewhere the role is
    in a group of Kubernetes, which may do what the cluster's owners let it: `deployment_rights`.
    """
    if is_own:
        return administrator_entry(scope, construct_id, cluster_name=cluster.name, role_arn=role.role_arn)
    return eks.CfnAccessEntry(
        scope,
        construct_id,
        cluster_name=cluster.name,
        principal_arn=role.role_arn,
        kubernetes_groups=[DEPLOYMENT_GROUP],
    )


def deployment_rights(namespace: str) -> list[Manifest]:
    """What the owners of an existing cluster apply once, so that deployments may do their work and no more.

    The namespace is among it: who may make namespaces may make any.
    """
    metadata = {"name": DEPLOYMENT_GROUP, "labels": {"app.kubernetes.io/part-of": "gatehouse"}}
    subjects = [_group(DEPLOYMENT_GROUP)]
    own_namespace = _rule("", ["namespaces"], ["get", "patch"]) | {"resourceNames": [namespace]}
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}},
        _rbac("ClusterRole", metadata, rules=[own_namespace]),
        _rbac("ClusterRoleBinding", metadata, roleRef=_role_reference("ClusterRole"), subjects=subjects),
        _rbac("Role", metadata | {"namespace": namespace}, rules=_namespaced_rules()),
        _rbac(
            "RoleBinding",
            metadata | {"namespace": namespace},
            roleRef=_role_reference("Role"),
            subjects=subjects,
        ),
    ]


def secret_sync_rights() -> list[Manifest]:
    """Let the add-on that mounts secrets keep them as Kubernetes Secrets, too.

    Its own setting for that is accepted and does nothing (aws/secrets-store-csi-driver-provider-aws, issue
    597). Cluster-wide, for the driver watches all Secrets, and keeps those that it has made.
    """
    metadata = {"name": _SYNC_ROLE, "labels": labels(_SYNC_ROLE, "secrets")}
    rules = [_rule("", ["secrets"], [*_WRITE, "update", "watch"])]
    reference = _role_reference("ClusterRole", _SYNC_ROLE)
    return [
        _rbac("ClusterRole", metadata, rules=rules),
        _rbac("ClusterRoleBinding", metadata, roleRef=reference, subjects=[_group(_SECRETS_GROUP)]),
    ]


def _namespaced_rules() -> list[dict[str, Any]]:
    return [
        _rule("", ["serviceaccounts", "services"], _WRITE),
        _rule("", ["pods", "pods/log"], _READ),
        _rule("apps", ["deployments"], _WRITE),
        _rule("apps", ["replicasets"], _READ),
        _rule("autoscaling", ["horizontalpodautoscalers"], _WRITE),
        _rule("batch", ["jobs"], _WRITE),
        _rule("networking.k8s.io", ["networkpolicies"], _WRITE),
        _rule("policy", ["poddisruptionbudgets"], _WRITE),
        _rule("secrets-store.csi.x-k8s.io", ["secretproviderclasses"], _WRITE),
        _rule("eks.amazonaws.com", ["targetgroupbindings"], _WRITE),
        _rule("elbv2.k8s.aws", ["targetgroupbindings"], _WRITE),
    ]


def _rule(group: str, resources: list[str], verbs: list[str]) -> dict[str, Any]:
    return {"apiGroups": [group], "resources": resources, "verbs": verbs}


def _rbac(kind: str, metadata: dict[str, Any], **fields: Any) -> Manifest:
    return {"apiVersion": f"{_RBAC}/v1", "kind": kind, "metadata": metadata, **fields}


def _group(name: str) -> dict[str, str]:
    return {"kind": "Group", "name": name, "apiGroup": _RBAC}


def _role_reference(kind: str, name: str = DEPLOYMENT_GROUP) -> dict[str, str]:
    return {"apiGroup": _RBAC, "kind": kind, "name": name}
