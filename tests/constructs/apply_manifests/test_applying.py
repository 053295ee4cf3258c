"""Manifests are applied, and what they ask for is awaited and watched."""

import pytest

from local.kubernetes import controllers
from local.kubernetes.cluster import Cluster, Fault
from tests.constructs.apply_manifests.conftest import ALARM, SHORT_SECONDS, Aws, Clock, Stack
from tests.constructs.apply_manifests.objects import (
    NAMESPACE,
    Object,
    a_config_map,
    a_crashed_container,
    a_gateway,
    a_job,
    a_pod,
    stuck,
)


def test_objects_are_applied_in_their_order(stack: Stack, kubernetes: Cluster) -> None:
    assert stack.create(NAMESPACE, a_config_map(), a_job(), a_gateway()) == "objects applied: 4"
    assert [r.split("/")[-1] for r in kubernetes.requests if r.startswith("PATCH")] == [
        "gatehouse",
        "settings",
        "migrations-1",
        "gateway",
    ]
    settings = kubernetes.get("ConfigMap", "settings")
    assert settings is not None
    assert settings["data"] == {"level": "info"}


def test_a_rollout_ends_when_the_newest_pods_are_available_and_alone(
    stack: Stack, kubernetes: Cluster
) -> None:
    """Not when the status still tells of the pods before, nor when one of those is left."""
    stack.create(NAMESPACE, a_gateway())
    stack.update(NAMESPACE, a_gateway("gateway:2"))
    gateway = kubernetes.get("Deployment", "gateway")
    assert gateway is not None
    assert gateway["status"]["observedGeneration"] == gateway["metadata"]["generation"] == 2
    assert gateway["status"]["replicas"] == gateway["status"]["updatedReplicas"] == 1


def test_a_rollout_that_is_given_up_tells_why_its_pods_crash(stack: Stack, kubernetes: Cluster) -> None:
    stack.create(NAMESPACE, a_gateway())
    kubernetes.controllers["Deployment"] = stuck("gateway:2")
    kubernetes.add(
        a_pod("gateway-new", a_crashed_container(), conditions=[{"type": "Ready", "status": "False"}])
    )
    kubernetes.add(a_pod("gateway-old", conditions=[{"type": "Ready", "status": "True"}]))
    leaving = a_pod("gateway-leaving", a_crashed_container())
    leaving["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    kubernetes.add(leaving)
    kubernetes.logs["gateway-new", "gateway", True] = ["the configuration is not valid"]
    reason = stack.fail_to_update(NAMESPACE, a_gateway("gateway:2"))
    assert reason == (
        "DeploymentError: Deployment gateway in namespace gatehouse is given up "
        '(Progressing: ReplicaSet "new" has timed out progressing.\n'
        "pod gateway-new: phase Running; container gateway: CrashLoopBackOff back-off 40s restarting failed "
        "container; container gateway ended with exit code 1 (Error); its log ends:\n"
        "the configuration is not valid)"
    )


@pytest.mark.parametrize(
    ("status", "said"),
    [
        pytest.param(
            {
                "phase": "Pending",
                "containerStatuses": [
                    {
                        "name": "gateway",
                        "ready": False,
                        "state": {"waiting": {"reason": "ImagePullBackOff", "message": "not found"}},
                    }
                ],
            },
            "phase Pending; container gateway: ImagePullBackOff not found",
            id="no-image",
        ),
        pytest.param(
            {
                "phase": "Pending",
                "containerStatuses": [],
                "conditions": [
                    {
                        "type": "PodScheduled",
                        "status": "False",
                        "reason": "Unschedulable",
                        "message": "0/3 nodes are available: insufficient cpu",
                    }
                ],
            },
            "phase Pending; Unschedulable: 0/3 nodes are available: insufficient cpu",
            id="no-node",
        ),
        pytest.param(
            {
                "containerStatuses": [{"name": "gateway", "ready": False, "state": {"running": {}}}],
                "conditions": [{"type": "target-health", "status": "False", "message": "unhealthy"}],
            },
            "phase Running; container gateway runs and is not ready; readiness gate target-health: unhealthy",
            id="not-healthy",
        ),
        pytest.param(
            {
                "phase": "Pending",
                "initContainerStatuses": [
                    {
                        "name": "collector",
                        "ready": False,
                        "state": {"waiting": {"reason": "CreateContainerConfigError", "message": "no key"}},
                    }
                ],
                "containerStatuses": [
                    {"name": "gateway", "ready": False, "state": {"waiting": {"reason": "PodInitializing"}}}
                ],
            },
            "phase Pending; container collector: CreateContainerConfigError no key",
            id="before-its-containers",
        ),
    ],
)
def test_why_pods_do_not_get_ready(stack: Stack, kubernetes: Cluster, status: Object, said: str) -> None:
    kubernetes.controllers["Deployment"] = controllers.get_stuck
    pod = a_pod("gateway-new", **status)
    if "conditions" in status and status["conditions"][0]["type"] == "target-health":
        pod["spec"]["readinessGates"] = [{"conditionType": "target-health"}]
    kubernetes.add(NAMESPACE)
    kubernetes.add(pod)
    assert f"\npod gateway-new: {said})" in stack.fail_to_create(NAMESPACE, a_gateway())


def test_pods_that_may_not_be_asked_do_not_hide_what_failed(stack: Stack, kubernetes: Cluster) -> None:
    kubernetes.controllers["Deployment"] = controllers.get_stuck
    kubernetes.faults.append(Fault("^GET .*/pods$", 403, times=100_000, message="pods is forbidden"))
    assert stack.fail_to_create(NAMESPACE, a_gateway()) == (
        "DeploymentError: Deployment gateway in namespace gatehouse is given up "
        '(Progressing: ReplicaSet "new" has timed out progressing.\n'
        "its pods tell nothing: GET /api/v1/namespaces/gatehouse/pods: 403: pods is forbidden)"
    )


def test_an_earlier_rollout_that_was_given_up_does_not_end_the_next(
    stack: Stack, kubernetes: Cluster
) -> None:
    """Kubernetes goes on telling of it until it has looked at what was applied last."""
    given_up = 99

    def controller(deployment: Object, reads: int) -> Object:
        if deployment["metadata"]["generation"] == 1:
            return controllers.get_stuck(deployment, reads)
        if reads < 3:
            return controllers.get_stuck(deployment, given_up)
        return controllers.roll_out(deployment, reads)

    kubernetes.controllers["Deployment"] = controller
    stack.create(NAMESPACE)
    assert "is given up" in stack.fail_to_update(NAMESPACE, a_gateway())
    stack.update(NAMESPACE, a_gateway("gateway:2"))


def test_an_endless_rollout_is_answered_in_lambda_s_time(stack: Stack, kubernetes: Cluster) -> None:
    stack.seconds = SHORT_SECONDS
    kubernetes.controllers["Deployment"] = lambda deployment, _reads: controllers.get_stuck(deployment, 0)
    reason = stack.fail_to_create(NAMESPACE, a_gateway())
    assert reason.startswith("DeploymentError: Deployment gateway in namespace gatehouse takes too long (")


@pytest.mark.parametrize("seconds", [3, 100, 200])
def test_an_alarm_during_or_after_an_update_ends_it(
    stack: Stack, kubernetes: Cluster, aws: Aws, clock: Clock, seconds: float
) -> None:
    stack.create(NAMESPACE, a_gateway())
    if seconds > 120:
        kubernetes.controllers["Deployment"] = lambda deployment, reads: controllers.roll_out(
            deployment, 1 if reads < 40 else 2
        )
    begun = clock.now
    clock.after(begun - 1000.0 + seconds, lambda: aws.on.add(ALARM))
    reason = stack.fail_to_update(NAMESPACE, a_gateway("gateway:2"))
    assert reason == f"AlarmError: went off during the deployment: {ALARM}"
    assert clock.now - begun < seconds + 10


def test_alarms_are_watched_for_two_minutes_after_a_rollout(stack: Stack, aws: Aws, clock: Clock) -> None:
    stack.create(NAMESPACE, a_gateway())
    begun = clock.now
    stack.update(NAMESPACE, a_gateway("gateway:2"))
    assert 120 <= clock.now - begun < 140
    assert aws.looks > 20


def test_an_alarm_that_was_on_before_does_not_keep_its_remedy_out(stack: Stack, aws: Aws) -> None:
    stack.create(NAMESPACE, a_gateway())
    aws.on.add(ALARM)
    reason = stack.update(NAMESPACE, a_gateway("gateway:2"))
    assert reason == f"objects applied: 2; on before, and not watched: {ALARM}"


def test_an_update_without_alarms_ends_with_its_rollout(stack: Stack, aws: Aws, clock: Clock) -> None:
    aws.alarms = []
    stack.create(NAMESPACE, a_gateway())
    begun = clock.now
    stack.update(NAMESPACE, a_gateway("gateway:2"))
    assert aws.looks == 0
    assert clock.now - begun < 30


def test_cloudwatch_may_be_silent_for_a_while(stack: Stack, aws: Aws, clock: Clock) -> None:
    stack.create(NAMESPACE, a_gateway())
    aws.blind_looks = 10
    stack.update(NAMESPACE, a_gateway("gateway:2"))
    begun = clock.now
    clock.after(begun - 1000.0 + 30, lambda: setattr(aws, "blind_looks", 10))
    stack.update(NAMESPACE, a_gateway("gateway:3"))


def test_what_cannot_be_watched_is_not_deployed(
    stack: Stack, kubernetes: Cluster, aws: Aws, clock: Clock
) -> None:
    stack.create(NAMESPACE, a_gateway())
    asked = len(kubernetes.requests)
    aws.blind_looks = 10_000
    begun = clock.now
    reason = stack.fail_to_update(NAMESPACE, a_gateway("gateway:2"))
    assert reason.startswith("ClientError: An error occurred (Throttling)")
    assert 120 <= clock.now - begun < 140
    assert len(kubernetes.requests) == asked


def test_a_first_deployment_has_no_alarm_to_watch(stack: Stack, aws: Aws, clock: Clock) -> None:
    aws.on.add(ALARM)
    begun = clock.now
    stack.create(NAMESPACE, a_gateway())
    assert aws.looks == 0
    assert clock.now - begun < 30
