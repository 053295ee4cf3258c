"""The chain of time limits by which a pod's answers have the time that they are meant to have."""

import pytest

from gatehouse.kubernetes import draining, node_pool
from gatehouse.kubernetes.deployment import MIN_READY_SECONDS, PROGRESS_DEADLINE_SECONDS
from gateway.process import _LEDGER_SECONDS
from gateway.settings import Settings
from tests.kubernetes.workloads import PROFILES, deployed_container, deployed_pod, values_of, workload

SHORTEST, LONGEST = 60, 960


def _leaving(profile: str, drain_seconds: int = LONGEST) -> tuple[int, int]:
    """For how long a pod goes on before SIGTERM, and until it is killed."""
    found = workload(profile, drain_seconds=drain_seconds)
    pod, container = deployed_pod(found), deployed_container(found)
    return container["lifecycle"]["preStop"]["sleep"]["seconds"], pod["terminationGracePeriodSeconds"]


@pytest.mark.parametrize("drain_seconds", [SHORTEST, LONGEST])
def test_the_bundled_gateway_ends_with_its_last_stream(drain_seconds: int) -> None:
    before_stop, grace = _leaving("gatehouse", drain_seconds)
    container = deployed_container(workload(drain_seconds=drain_seconds))
    lame_duck_seconds = Settings.model_fields["lame_duck_seconds"].default
    # First nothing new comes, then what runs may end, then the ledger has its rows.
    assert before_stop == draining.LEAVING_SECONDS == 30
    assert int(values_of(container)["GATEWAY_DRAIN_SECONDS"]) == drain_seconds
    assert before_stop + lame_duck_seconds + drain_seconds + _LEDGER_SECONDS < grace


def test_on_ecs_it_keeps_to_what_fargate_allows() -> None:
    defaults = {name: Settings.model_fields[name].default for name in ("lame_duck_seconds", "drain_seconds")}
    assert defaults == {"lame_duck_seconds": 5, "drain_seconds": 100}


@pytest.mark.parametrize("drain_seconds", [SHORTEST, LONGEST])
@pytest.mark.parametrize("profile", [each for each in PROFILES if each != "gatehouse"])
def test_other_images_are_stopped_when_no_stream_is_left(profile: str, drain_seconds: int) -> None:
    before_stop, grace = _leaving(profile, drain_seconds)
    # The load balancer begins to wait once it sends the pod nothing new, and by then has let go of it.
    assert before_stop == draining.LEAVING_SECONDS + drain_seconds
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
