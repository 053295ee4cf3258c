"""A cluster that the platform did not make."""

from typing import Literal

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from constructs import Construct

from gatehouse.kubernetes.cluster_reference import ClusterReference


def existing_cluster(
    scope: Construct,
    *,
    name: str,
    security_group_id: str,
    identity: Literal["pod-identity", "oidc"],
    oidc_provider: str | None,
    load_balancing: Literal["auto-mode", "controller"],
) -> ClusterReference:
    """A cluster of this account and region as it is: its nodes and its add-ons are its owners'.

    Only its security group gets a rule, for whoever deploys into it.
    """
    return ClusterReference(
        name=name,
        arn=cluster_arn(scope, name),
        security_group=ec2.SecurityGroup.from_security_group_id(
            scope, "ClusterSecurityGroup", security_group_id
        ),
        identity=identity,
        oidc_provider=oidc_provider,
        load_balancing=load_balancing,
        manifests=(),
        ready=(),
    )


def cluster_arn(scope: Construct, name: str) -> str:
    """The ARN of a cluster in the account and region of `scope`."""
    return cdk.Stack.of(scope).format_arn(service="eks", resource="cluster", resource_name=name)
