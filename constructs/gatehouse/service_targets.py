"""Where the load balancer sends requests, and how a new version of the tasks takes them over."""

from collections.abc import Sequence
from dataclasses import dataclass

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk import aws_iam as iam
from constructs import Construct

from gatehouse.findings import acknowledge

RULE_PRIORITY = 1000


@dataclass(frozen=True, kw_only=True)
class Canary:
    """How a new version takes over: `percent` of the requests for `bake`, then all of them.

    The old version stays for as long again, so that an alarm brings it back at once.
    """

    percent: int
    bake: cdk.Duration


class ServiceTargets(Construct):
    """The target groups of a service and the rule that sends them every path that no earlier rule takes.

    `groups` is one group, or with `canary` two: one for the version that serves, one for the next. ECS moves
    the rule's weights then, and the groups change places with each deployment: whoever watches one watches
    both. A task gets requests once it answers `ready_path` with 200. One that goes gets no more, and has
    `drain` for the answers that it still gives: ECS waits for that, and only then tells the task to stop.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        vpc: ec2.IVpc,
        port: int,
        ready_path: str,
        listener: elbv2.IApplicationListener,
        canary: bool,
        drain: cdk.Duration,
    ) -> None:
        super().__init__(scope, construct_id)
        ids = ["First", "Second"] if canary else ["First"]
        self.groups = [
            _target_group(self, each, vpc=vpc, port=port, ready_path=ready_path, drain=drain) for each in ids
        ]
        self.rule = elbv2.ApplicationListenerRule(
            self,
            "AllPaths",
            listener=listener,
            priority=RULE_PRIORITY,
            conditions=[elbv2.ListenerCondition.path_patterns(["/*"])],
            # The weights before the first deployment. To change this rule in the same release as a deployment
            # would put them back.
            action=elbv2.ListenerAction.weighted_forward(
                [
                    elbv2.WeightedTargetGroup(target_group=group, weight=weight)
                    for group, weight in zip(self.groups, (100, 0), strict=False)
                ]
            ),
        )
        self.alternate = self._alternate() if canary else None

    def _alternate(self) -> ecs.AlternateTarget:
        """What ECS needs to know besides the group that the service is attached to."""
        return ecs.AlternateTarget(
            "Alternate",
            alternate_target_group=self.groups[1],
            production_listener=ecs.ListenerRuleConfiguration.application_listener_rule(self.rule),
            role=self._role(),
        )

    def _role(self) -> iam.Role:
        """In place of AWS's managed policy, which holds for every load balancer of the account."""
        role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("ecs.amazonaws.com"))
        statements: Sequence[tuple[list[str], list[str]]] = (
            (["RegisterTargets", "DeregisterTargets"], [group.target_group_arn for group in self.groups]),
            (["ModifyRule"], [self.rule.listener_rule_arn]),
            (["DescribeListeners", "DescribeRules", "DescribeTargetGroups", "DescribeTargetHealth"], ["*"]),
        )
        for actions, resources in statements:
            role.add_to_policy(
                iam.PolicyStatement(
                    actions=[f"elasticloadbalancing:{action}" for action in actions], resources=resources
                )
            )
        acknowledge(
            role, {"IAM5[Resource::*]": "Describing load balancers takes no resource; changing one does."}
        )
        return role


def _target_group(
    scope: Construct,
    construct_id: str,
    *,
    vpc: ec2.IVpc,
    port: int,
    ready_path: str,
    drain: cdk.Duration,
) -> elbv2.ApplicationTargetGroup:
    return elbv2.ApplicationTargetGroup(
        scope,
        construct_id,
        vpc=vpc,
        port=port,
        protocol=elbv2.ApplicationProtocol.HTTP,
        target_type=elbv2.TargetType.IP,
        load_balancing_algorithm_type=elbv2.TargetGroupLoadBalancingAlgorithmType.LEAST_OUTSTANDING_REQUESTS,
        deregistration_delay=drain,
        health_check=elbv2.HealthCheck(
            path=ready_path,
            interval=cdk.Duration.seconds(10),
            timeout=cdk.Duration.seconds(5),
            healthy_threshold_count=2,
            unhealthy_threshold_count=3,
        ),
    )
