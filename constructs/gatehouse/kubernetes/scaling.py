"""How many pods run, and how many may go at once."""

from lightkube.models import autoscaling_v2 as autoscaling
from lightkube.models import meta_v1 as meta
from lightkube.models import policy_v1 as policy

from gatehouse.kubernetes.manifest import Manifest
from gatehouse.kubernetes.workload_inputs import GATEWAY, Workload, selector
from gatehouse.task_scaling import CPU_TARGET_PERCENT, SCALE_IN_COOLDOWN, SCALE_OUT_COOLDOWN

# Of the pods, rounded up, at the most, while nodes are replaced or removed.
DISRUPTED = "25%"


def autoscaler(workload: Workload) -> Manifest:
    """Keeps the gateway's mean CPU at its target: more pods after a minute above it, fewer one by one.

    The collector's CPU does not count. Requests equal limits, so the percentage is one of the limit.
    """
    return autoscaling.HorizontalPodAutoscaler(
        metadata=workload.metadata(GATEWAY, GATEWAY),
        spec=autoscaling.HorizontalPodAutoscalerSpec(
            scaleTargetRef=autoscaling.CrossVersionObjectReference(
                apiVersion="apps/v1", kind="Deployment", name=GATEWAY
            ),
            minReplicas=workload.minimum_pods,
            maxReplicas=workload.maximum_pods,
            metrics=[
                autoscaling.MetricSpec(
                    type="ContainerResource",
                    containerResource=autoscaling.ContainerResourceMetricSource(
                        name="cpu",
                        container=GATEWAY,
                        target=autoscaling.MetricTarget(
                            type="Utilization", averageUtilization=CPU_TARGET_PERCENT
                        ),
                    ),
                )
            ],
            behavior=autoscaling.HorizontalPodAutoscalerBehavior(scaleUp=_up(), scaleDown=_down()),
        ),
    ).to_dict()


def _up() -> autoscaling.HPAScalingRules:
    window = int(SCALE_OUT_COOLDOWN.to_seconds())
    return autoscaling.HPAScalingRules(
        # The fewest pods that were wanted at any moment of the window: a shorter peak adds none.
        stabilizationWindowSeconds=window,
        # Kubernetes' own is a tenth, which would make of 80 percent 88.
        tolerance="0",
        selectPolicy="Max",
        policies=[
            autoscaling.HPAScalingPolicy(type="Percent", value=100, periodSeconds=window),
            autoscaling.HPAScalingPolicy(type="Pods", value=4, periodSeconds=window),
        ],
    )


def _down() -> autoscaling.HPAScalingRules:
    window = int(SCALE_IN_COOLDOWN.to_seconds())
    return autoscaling.HPAScalingRules(
        # The most that were wanted: pods do not go and come with a load that rises and falls.
        stabilizationWindowSeconds=window,
        selectPolicy="Max",
        policies=[
            autoscaling.HPAScalingPolicy(type="Percent", value=10, periodSeconds=window),
            autoscaling.HPAScalingPolicy(type="Pods", value=1, periodSeconds=window),
        ],
    )


def disruption_budget(workload: Workload) -> Manifest:
    """Lets a part of the pods go with their nodes at a time: one at least, or its node could never go.

    Pods that are not ready do not hold one either: on another node they may become so.
    """
    return policy.PodDisruptionBudget(
        metadata=workload.metadata(GATEWAY, GATEWAY),
        spec=policy.PodDisruptionBudgetSpec(
            maxUnavailable=DISRUPTED,
            selector=meta.LabelSelector(matchLabels=selector(GATEWAY)),
            unhealthyPodEvictionPolicy="AlwaysAllow",
        ),
    ).to_dict()
