"""How many pods run: after one minute above 80 percent of the limit more, and slowly fewer."""

import math
from typing import Any

import pytest

from gatehouse.kubernetes.workload import gateway
from gatehouse.task_scaling import CPU_TARGET_PERCENT
from tests.kubernetes.workloads import only, workload


@pytest.fixture
def autoscaler() -> dict[str, Any]:
    found: dict[str, Any] = only(
        gateway(workload(minimum_pods=3, maximum_pods=30)), "HorizontalPodAutoscaler"
    )["spec"]
    return found


def test_it_is_the_gateway_s_deployment_between_the_configured_bounds(autoscaler: dict[str, Any]) -> None:
    assert autoscaler["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": "gateway"}
    assert (autoscaler["minReplicas"], autoscaler["maxReplicas"]) == (3, 30)


def test_the_gateway_s_own_cpu_counts_and_not_the_collector_s(autoscaler: dict[str, Any]) -> None:
    (metric,) = autoscaler["metrics"]
    assert metric == {
        "type": "ContainerResource",
        "containerResource": {
            "name": "cpu",
            "container": "gateway",
            "target": {"type": "Utilization", "averageUtilization": CPU_TARGET_PERCENT},
        },
    }
    assert CPU_TARGET_PERCENT == 80


def test_one_minute_above_the_target_adds_pods_at_once(autoscaler: dict[str, Any]) -> None:
    up = autoscaler["behavior"]["scaleUp"]
    assert up["stabilizationWindowSeconds"] == 60
    # Without a tolerance of its own, 88 percent would be the target.
    assert float(up["tolerance"]) == 0
    assert up["selectPolicy"] == "Max"
    assert {each["type"]: each["value"] for each in up["policies"]} == {"Percent": 100, "Pods": 4}


def test_pods_do_not_come_and_go(autoscaler: dict[str, Any]) -> None:
    down = autoscaler["behavior"]["scaleDown"]
    assert down["stabilizationWindowSeconds"] == 300
    assert {each["type"]: (each["value"], each["periodSeconds"]) for each in down["policies"]} == {
        "Percent": (10, 300),
        "Pods": (1, 300),
    }


def test_pods_that_were_added_are_not_too_many_for_the_same_load(autoscaler: dict[str, Any]) -> None:
    """The autoscaler's own arithmetic: what brings a pod must not send it away again."""
    target = autoscaler["metrics"][0]["containerResource"]["target"]["averageUtilization"]
    for pods in range(3, 30):
        for percent in (80.1, 85, 95, 120):
            more = math.ceil(pods * percent / target)
            assert math.ceil(more * (percent * pods / more) / target) == more


def test_a_part_of_the_pods_may_go_with_their_nodes_and_one_always() -> None:
    budget = only(gateway(workload()), "PodDisruptionBudget")["spec"]
    # Rounded up: with a single pod it is that one. A number of pods that have to stay would hold its node.
    assert budget["maxUnavailable"] == "25%"
    assert "minAvailable" not in budget
    assert budget["unhealthyPodEvictionPolicy"] == "AlwaysAllow"
