"""How Kubernetes asks a gateway whether it is well."""

import math
from collections.abc import Sequence

from lightkube.models import core_v1 as core

from gatehouse.collector import HEALTH_COMMAND
from gatehouse.image_profile import ImageProfile

PORT = "http"
# As ECS asks the container, and the load balancer the target.
INTERVAL_SECONDS = 10
TIMEOUT_SECONDS = 5
FAILURES = 3
_STARTUP_INTERVAL_SECONDS = 5
# A container that does not answer is killed after so long: the grace of its pod is for streams.
STOP_SECONDS = 60


def startup(profile: ImageProfile) -> core.Probe:
    """Whether it has started: as long as ECS would wait for it, and no other probe asks before."""
    allowed_seconds = profile.start_period.to_seconds() + FAILURES * INTERVAL_SECONDS
    probe = liveness(profile)
    probe.periodSeconds = _STARTUP_INTERVAL_SECONDS
    probe.failureThreshold = math.ceil(allowed_seconds / _STARTUP_INTERVAL_SECONDS)
    return probe


def liveness(profile: ImageProfile) -> core.Probe:
    """Whether it is to be started again. What it asks depends on the process alone."""
    probe = _alive(profile)
    probe.terminationGracePeriodSeconds = STOP_SECONDS
    return probe


def readiness(profile: ImageProfile) -> core.Probe:
    """Whether it is to get requests: what the load balancer asks, too."""
    return _probe(httpGet=core.HTTPGetAction(path=profile.ready_path, port=PORT))


def collector_liveness() -> core.Probe:
    """Whether the collector is to be started again, which the gateway does not notice."""
    probe = _probe(exec=core.ExecAction(command=_command(HEALTH_COMMAND)))
    probe.initialDelaySeconds = 15
    probe.periodSeconds = 30
    probe.terminationGracePeriodSeconds = STOP_SECONDS
    return probe


def _alive(profile: ImageProfile) -> core.Probe:
    if profile.live_path is not None:
        return _probe(httpGet=core.HTTPGetAction(path=profile.live_path, port=PORT))
    if profile.health_command is not None:
        return _probe(exec=core.ExecAction(command=_command(profile.health_command)))
    return _probe(tcpSocket=core.TCPSocketAction(port=PORT))


def _probe(
    *,
    httpGet: core.HTTPGetAction | None = None,  # noqa: N803 (Kubernetes' name)
    exec: core.ExecAction | None = None,
    tcpSocket: core.TCPSocketAction | None = None,  # noqa: N803 (the same)
) -> core.Probe:
    return core.Probe(
        httpGet=httpGet,
        exec=exec,
        tcpSocket=tcpSocket,
        periodSeconds=INTERVAL_SECONDS,
        timeoutSeconds=TIMEOUT_SECONDS,
        failureThreshold=FAILURES,
    )


def _command(health_command: Sequence[str]) -> list[str]:
    """A health check in ECS's form, which begins with who runs it, as words of a command."""
    runner, *words = health_command
    return ["/bin/sh", "-c", *words] if runner == "CMD-SHELL" else words
