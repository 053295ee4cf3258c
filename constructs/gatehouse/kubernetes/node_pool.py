"""The nodes that the gateway's pods run on: what EKS Auto Mode adds when a pod does not fit, and removes."""

from collections.abc import Mapping, Sequence
from typing import Literal

import aws_cdk as cdk

from gatehouse.kubernetes.manifest import Manifest, labels

NAME = "gatehouse"
# Which nodes take the gateway's pods. They have no taint: the add-on that mounts secrets tolerates none, and
# where its own pod cannot run the gateway's do not start.
NODE_SELECTOR: Mapping[str, str] = {"karpenter.sh/nodepool": NAME}
# The pool that EKS makes for add-ons. Neither database nor cache admits its nodes.
SYSTEM = "system"
# How long pods may take to leave a node that goes away. They leave one after the other, by their disruption
# budget, and each may finish its streams: this is for all pods of a node and not for one.
TERMINATION_GRACE_PERIOD = cdk.Duration.hours(24)
# At the latest; a new image of AWS's, about once a week, replaces nodes before that, a few at a time.
EXPIRE_AFTER = cdk.Duration.days(14)
# Longer than the autoscaler waits before it removes pods: nodes do not come and go with each peak.
CONSOLIDATE_AFTER = cdk.Duration.minutes(10)
_ARCHITECTURES = {"arm64": "arm64", "x86_64": "amd64"}


def node_manifests(
    *,
    role_name: str,
    subnet_ids: Sequence[str],
    security_group_ids: Sequence[str],
    encryption_key_arn: str,
    zones: Sequence[str],
    cpu_architecture: Literal["arm64", "x86_64"],
) -> list[Manifest]:
    """What the cluster needs before the gateway's pods: network policies that hold, and nodes."""
    return [
        _network_policies(),
        _node_class(role_name, subnet_ids, security_group_ids, encryption_key_arn),
        _node_pool(zones, cpu_architecture),
    ]


def _network_policies() -> Manifest:
    """Without it Auto Mode accepts network policies and enforces none (EKS User Guide, auto-net-pol)."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            # The name that the controller looks for.
            "name": "amazon-vpc-cni",
            "namespace": "kube-system",
            "labels": labels("amazon-vpc-cni", "network"),
        },
        "data": {"enable-network-policy-controller": "true"},
    }


def _node_class(
    role_name: str, subnet_ids: Sequence[str], security_group_ids: Sequence[str], encryption_key_arn: str
) -> Manifest:
    return {
        "apiVersion": "eks.amazonaws.com/v1",
        "kind": "NodeClass",
        "metadata": {"name": NAME, "labels": labels(NAME, "nodes")},
        "spec": {
            "role": role_name,
            # By ID: a selector by tag would follow whoever may tag subnets and groups.
            "subnetSelectorTerms": [{"id": each} for each in subnet_ids],
            "securityGroupSelectorTerms": [{"id": each} for each in security_group_ids],
            "ephemeralStorage": {"kmsKeyID": encryption_key_arn},
            # Pods without a policy are the add-ons'. The gateway's namespace denies by a policy of its own.
            "networkPolicy": "DefaultAllow",
            "networkPolicyEventLogs": "Enabled",
            "advancedNetworking": {
                "associatePublicIPAddress": False,
                # An address for each pod: few are on a node, and a prefix would keep 16 there.
                "ipv4PrefixSize": "32",
            },
        },
    }


def _node_pool(zones: Sequence[str], cpu_architecture: Literal["arm64", "x86_64"]) -> Manifest:
    return {
        "apiVersion": "karpenter.sh/v1",
        "kind": "NodePool",
        "metadata": {"name": NAME, "labels": labels(NAME, "nodes")},
        "spec": {
            "template": {
                "spec": {
                    "nodeClassRef": {"group": "eks.amazonaws.com", "kind": "NodeClass", "name": NAME},
                    "requirements": [
                        _requirement("kubernetes.io/arch", "In", [_ARCHITECTURES[cpu_architecture]]),
                        _requirement("karpenter.sh/capacity-type", "In", ["on-demand"]),
                        _requirement("topology.kubernetes.io/zone", "In", zones),
                        # Three families and all generations since the sixth: a zone that is out of one type
                        # has another. None is so large that it would hold most of the pods.
                        _requirement("eks.amazonaws.com/instance-category", "In", ["c", "m", "r"]),
                        _requirement("eks.amazonaws.com/instance-generation", "Gt", ["5"]),
                        _requirement("eks.amazonaws.com/instance-cpu", "Lt", ["17"]),
                    ],
                    "expireAfter": _hours(EXPIRE_AFTER),
                    "terminationGracePeriod": _hours(TERMINATION_GRACE_PERIOD),
                }
            },
            "disruption": {
                "consolidationPolicy": "WhenEmptyOrUnderutilized",
                "consolidateAfter": f"{CONSOLIDATE_AFTER.to_minutes():g}m",
                # Of few nodes a tenth is one: it is rounded up.
                "budgets": [
                    {"nodes": "10%", "reasons": ["Drifted", "Underutilized"]},
                    {"nodes": "100%", "reasons": ["Empty"]},
                ],
            },
        },
    }


def _requirement(key: str, operator: str, values: Sequence[str]) -> dict[str, object]:
    return {"key": key, "operator": operator, "values": list(values)}


def _hours(duration: cdk.Duration) -> str:
    return f"{duration.to_hours():g}h"
