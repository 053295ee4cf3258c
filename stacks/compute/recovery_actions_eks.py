"""What the recovery plan has done by functions where gateways run on EKS."""

import aws_cdk as cdk

from gatehouse import names
from gatehouse.kubernetes.cluster_reference import ClusterReference
from gatehouse.kubernetes.recovery import SCALING_POLICY, EksActions, admit
from stacks.compute.gateway import Gateway
from stacks.compute.recovery_actions import full_minimum, function_settings


def add_eks_actions(stack: cdk.Stack, gateway: Gateway, cluster: ClusterReference) -> None:
    """The steps that size a Deployment; the plan's own, if there is one, is let do so too."""
    config, network = gateway.config, gateway.network
    EksActions(
        stack,
        "EksActions",
        settings=function_settings(gateway),
        cluster=cluster,
        namespace=config.compute.namespace,
        vpc=network.vpc,
        subnets=network.service_subnets,
        endpoints_security_group=gateway.security_groups.endpoints,
        full_minimum=full_minimum(gateway),
        standby_minimum=config.standby.minimum_tasks,
    )
    if config.standby.mode == "warm":
        role_arn = stack.format_arn(
            service="iam", region="", resource="role", resource_name=names.recovery_role(config.name)
        )
        admit(
            stack,
            "RecoveryAccess",
            cluster=cluster,
            namespace=config.compute.namespace,
            role_arn=role_arn,
            policies=[SCALING_POLICY],
        )
