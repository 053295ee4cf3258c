"""As whom a cluster in EKS Auto Mode acts in the account, and its nodes."""

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from gatehouse.findings import acknowledge

# What EKS Auto Mode needs of the role by which it acts (EKS User Guide, auto-learn-iam).
CLUSTER_POLICIES = (
    "AmazonEKSBlockStoragePolicy",
    "AmazonEKSClusterPolicy",
    "AmazonEKSComputePolicy",
    "AmazonEKSLoadBalancingPolicy",
    "AmazonEKSNetworkingPolicy",
)
# To pull images and to ask for the roles of pods: nodes do nothing else.
NODE_POLICIES = ("AmazonEC2ContainerRegistryPullOnly", "AmazonEKSWorkerNodeMinimalPolicy")


def cluster_role(
    scope: Construct,
    construct_id: str,
    *,
    cluster_arn: str,
    secret_key: kms.IKey,
    target_groups: Sequence[elbv2.ITargetGroup],
) -> iam.Role:
    """The role of one cluster, which encrypts with `secret_key` and registers pods with `target_groups`."""
    stack = cdk.Stack.of(scope)
    this_cluster = iam.ServicePrincipal(
        "eks.amazonaws.com",
        conditions={
            "StringEquals": {"aws:SourceAccount": stack.account},
            "ArnEquals": {"aws:SourceArn": cluster_arn},
        },
    )
    # Auto Mode tags its sessions with the cluster's name: the managed policies ask for that tag.
    role = _role(
        scope,
        construct_id,
        this_cluster.with_session_tags(),
        CLUSTER_POLICIES,
        "AWS keeps it in step with what Auto Mode does, to resources that carry the cluster's tag.",
    )
    for statement in _key_statements(secret_key, stack.region):
        role.add_to_policy(statement)
    # The tag that the managed policy asks for would let Auto Mode change and delete the groups as well.
    role.add_to_policy(
        iam.PolicyStatement(
            actions=["elasticloadbalancing:DeregisterTargets", "elasticloadbalancing:RegisterTargets"],
            resources=[group.target_group_arn for group in target_groups],
        )
    )
    return role


def node_role(scope: Construct, construct_id: str) -> iam.Role:
    """A role of nodes, which says nothing of the pods on them: those have their own."""
    return _role(
        scope,
        construct_id,
        iam.ServicePrincipal("ec2.amazonaws.com"),
        NODE_POLICIES,
        "The least that EKS offers for nodes: images, and the roles of pods.",
    )


def _role(
    scope: Construct, construct_id: str, principal: iam.IPrincipal, policies: Sequence[str], reason: str
) -> iam.Role:
    managed = [iam.ManagedPolicy.from_aws_managed_policy_name(policy) for policy in policies]
    role = iam.Role(scope, construct_id, assumed_by=principal, managed_policies=managed)
    acknowledge(
        role, {f"IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/{policy}]": reason for policy in policies}
    )
    return role


def _key_statements(key: kms.IKey, region: str) -> list[iam.PolicyStatement]:
    """For Kubernetes Secrets; and through EC2 alone for the nodes' disks (EKS User Guide, auto-kms)."""
    through_ec2 = {"kms:ViaService": f"ec2.{region}.amazonaws.com"}
    return [
        iam.PolicyStatement(
            actions=["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:ListGrants"],
            resources=[key.key_arn],
        ),
        iam.PolicyStatement(
            actions=["kms:GenerateDataKeyWithoutPlaintext", "kms:ReEncryptFrom", "kms:ReEncryptTo"],
            resources=[key.key_arn],
            conditions={"StringEquals": through_ec2},
        ),
        iam.PolicyStatement(
            actions=["kms:CreateGrant"],
            resources=[key.key_arn],
            conditions={"Bool": {"kms:GrantIsForAWSResource": "true"}, "StringEquals": through_ec2},
        ),
    ]
