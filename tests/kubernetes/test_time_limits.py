"""The chain of time limits by which no answer is cut that the load balancer would wait for."""

import pytest

from gatehouse.kubernetes import draining, node_pool
from gatehouse.kubernetes.deployment import MIN_READY_SECONDS, PROGRESS_DEADLINE_SECONDS
from gatehouse.load_balancer import IDLE_TIMEOUT
from gatehouse.service_targets import DEREGISTRATION_DELAY
from gateway.process import _LEDGER_SECONDS
from gateway.settings import Settings
from tests.kubernetes.workloads import PROFILES, deployed_container, deployed_pod, values_of, workload

STREAMS_SECONDS = int(IDLE_TIMEOUT.to_seconds())


def _leaving(profile: str) -> tuple[int, int]:
    """For how long a pod goes on before SIGTERM, and until it is killed."""
    pod, container = deployed_pod(workload(profile)), deployed_container(workload(profile))
    return container["lifecycle"]["preStop"]["sleep"]["seconds"], pod["terminationGracePeriodSeconds"]


def test_the_target_group_keeps_streams_for_as_long_as_the_load_balancer_would_wait() -> None:
    assert DEREGISTRATION_DELAY.to_seconds() == STREAMS_SECONDS == 960


def test_the_bundled_gateway_ends_with_its_last_stream() -> None:
    before_stop, grace = _leaving("gatehouse")
    drain_seconds = int(values_of(deployed_container(workload()))["GATEWAY_DRAIN_SECONDS"])
    lame_duck_seconds = Settings.model_fields["lame_duck_seconds"].default
    # First nothing new comes, then what runs may end, then the ledger has its rows.
    assert before_stop == draining.LEAVING_SECONDS == 30
    assert drain_seconds >= STREAMS_SECONDS
    assert before_stop + lame_duck_seconds + drain_seconds + _LEDGER_SECONDS < grace


def test_on_ecs_it_keeps_to_what_fargate_allows() -> None:
    defaults = {name: Settings.model_fields[name].default for name in ("lame_duck_seconds", "drain_seconds")}
    assert defaults == {"lame_duck_seconds": 5, "drain_seconds": 100}


@pytest.mark.parametrize("profile", [each for each in PROFILES if each != "gatehouse"])
def test_other_images_are_stopped_when_no_stream_is_left(profile: str) -> None:
    before_stop, grace = _leaving(profile)
    assert before_stop == STREAMS_SECONDS
    # As long for the rest as on ECS.
    assert grace - before_stop == 120
    assert "GATEWAY_DRAIN_SECONDS" not in values_of(deployed_container(workload(profile)))


def test_one_that_does_not_answer_is_killed_and_has_not_the_time_of_its_streams() -> None:
    pod = deployed_pod(workload())
    (gateway,), (sidecar,) = pod["containers"], pod["initContainers"]
    for probe in (gateway["startupProbe"], gateway["livenessProbe"], sidecar["livenessProbe"]):
        assert probe["terminationGracePeriodSeconds"] == 60
    # Whatever fails this one goes on with its streams.
    assert "terminationGracePeriodSeconds" not in gateway["readinessProbe"]


@pytest.mark.parametrize("profile", PROFILES)
def test_a_node_that_goes_waits_for_its_pods(profile: str) -> None:
    _, grace = _leaving(profile)
    assert grace < node_pool.TERMINATION_GRACE_PERIOD.to_seconds()


def test_a_pod_is_told_to_end_after_the_load_balancer_has_seen_it_go() -> None:
    before_stop, _ = _leaving("gatehouse")
    probe = deployed_container(workload())["readinessProbe"]
    # Where the load balancer's controller is away, its own health check notices instead: it, too, takes less.
    assert probe["periodSeconds"] * probe["failureThreshold"] <= before_stop


def test_a_pod_that_becomes_ready_counts_as_progress_in_time() -> None:
    start = deployed_container(workload())["startupProbe"]
    start_seconds = start["periodSeconds"] * start["failureThreshold"]
    assert start_seconds + MIN_READY_SECONDS < PROGRESS_DEADLINE_SECONDS
    # Kubernetes refuses a Deployment for which it is not longer.
    assert MIN_READY_SECONDS < PROGRESS_DEADLINE_SECONDS
