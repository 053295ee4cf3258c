"""A cluster, as those know it who deploy into it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from aws_cdk import aws_ec2 as ec2
from constructs import IDependable

from gatehouse.kubernetes.manifest import Manifest


@dataclass(frozen=True, kw_only=True)
class ClusterReference:
    """A cluster of EKS, one's own or one that was there.

    security_group: of its API: whoever it admits at port 443 reaches it. oidc_provider: without https://,
    where roles are given by it and not by EKS Pod Identity. load_balancing: who registers pods with target
    groups. manifests: what the cluster itself needs before anything runs in it. ready: what has to be there
    before.
    """

    name: str
    arn: str
    security_group: ec2.ISecurityGroup
    identity: Literal["pod-identity", "oidc"]
    oidc_provider: str | None
    load_balancing: Literal["auto-mode", "controller"]
    manifests: Sequence[Manifest]
    ready: Sequence[IDependable]
