"""What a recovery plan needs of a cluster: to scale the gateway, and nothing else in it."""

from collections.abc import Mapping, Sequence

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_eks as eks
from aws_cdk import aws_iam as iam
from constructs import Construct, IDependable

from gatehouse.kubernetes.cluster_reference import ClusterReference
from gatehouse.kubernetes.workload_inputs import GATEWAY, selector
from gatehouse.python_function import FunctionNetwork
from gatehouse.recovery import steps
from gatehouse.recovery.actions import FunctionSettings

# To get and set the scale of anything, and the bounds of autoscalers.
SCALING_POLICY = "AmazonARCRegionSwitchScalingPolicy"
# To see whether pods are gone; Secrets are not in it.
VIEW_POLICY = "AmazonEKSViewPolicy"
HTTPS = 443


class EksActions(Construct):
    """The functions that size a region's Deployment: no pods at all, a full region's, or a standby's.

    They reach the cluster's API from inside the VPC, by a security group of their own.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: FunctionSettings,
        cluster: ClusterReference,
        namespace: str,
        vpc: ec2.IVpc,
        subnets: ec2.SubnetSelection,
        endpoints_security_group: ec2.ISecurityGroup,
        full_minimum: int,
        standby_minimum: int,
    ) -> None:
        super().__init__(scope, construct_id)
        group = ec2.SecurityGroup(
            self, "SecurityGroup", vpc=vpc, description="Sizes the gateway", allow_all_outbound=False
        )
        group.add_egress_rule(ec2.Peer.any_ipv4(), ec2.Port.tcp(HTTPS), "Cluster, AWS services")
        _be_admitted(self, "ToCluster", group, cluster.security_group)
        _be_admitted(self, "ToEndpoints", group, endpoints_security_group)
        network = FunctionNetwork(vpc=vpc, subnets=subnets, security_group=group)
        sizes = {steps.FENCE: 0, steps.OPEN: full_minimum, steps.STAND_BY: standby_minimum}
        for step, minimum in sizes.items():
            function = settings.function(
                self,
                step,
                handler="size_deployment",
                environment=_variables(cdk.Stack.of(self), cluster, namespace, minimum),
                network=network,
            )
            function.role.add_to_policy(
                iam.PolicyStatement(actions=["eks:DescribeCluster"], resources=[cluster.arn])
            )
            admit(
                self,
                f"{step.name}-access",
                cluster=cluster,
                namespace=namespace,
                role_arn=function.role.role_arn,
                policies=[SCALING_POLICY, VIEW_POLICY],
            )


def admit(
    scope: Construct,
    construct_id: str,
    *,
    cluster: ClusterReference,
    namespace: str,
    role_arn: str,
    policies: Sequence[str],
) -> IDependable:
    """Let a role do in one namespace what access policies of EKS say."""
    partition = cdk.Stack.of(scope).partition
    return eks.CfnAccessEntry(
        scope,
        construct_id,
        cluster_name=cluster.name,
        principal_arn=role_arn,
        access_policies=[
            eks.CfnAccessEntry.AccessPolicyProperty(
                policy_arn=f"arn:{partition}:eks::aws:cluster-access-policy/{policy}",
                access_scope=eks.CfnAccessEntry.AccessScopeProperty(type="namespace", namespaces=[namespace]),
            )
            for policy in policies
        ],
    )


def _variables(
    stack: cdk.Stack, cluster: ClusterReference, namespace: str, minimum: int
) -> Mapping[str, str]:
    return {
        "CLUSTER": cluster.name,
        "NAMESPACE": namespace,
        "DEPLOYMENT": GATEWAY,
        "POD_LABELS": stack.to_json_string(selector(GATEWAY)),
        "MINIMUM": str(minimum),
    }


def _be_admitted(
    scope: Construct, construct_id: str, group: ec2.ISecurityGroup, to: ec2.ISecurityGroup
) -> None:
    """A rule of this stack: the other group may be another's, on which this one depends."""
    ec2.CfnSecurityGroupIngress(
        scope,
        construct_id,
        group_id=to.security_group_id,
        source_security_group_id=group.security_group_id,
        ip_protocol="tcp",
        from_port=HTTPS,
        to_port=HTTPS,
        description="From the functions that size the gateway",
    )
