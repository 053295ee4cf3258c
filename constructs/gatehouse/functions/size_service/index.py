"""A step of a recovery plan: between how many tasks an ECS service runs.

Variables: CLUSTER, SERVICE (names), MINIMUM, MAXIMUM. With a MAXIMUM of 0 the service ends its tasks and gets
no new ones, neither by scaling nor by a deployment, until this sets another size: the step waits until the
last one has stopped, after it has ended its answers. Otherwise missing tasks are started, and not waited for.

Called twice it does the same, and what it is called with does not matter.
"""

import os
from typing import Any

import boto3

from gatehouse.functions.patience import TIME_LIMITS
from gatehouse.functions.waiting import wait_until


def on_event(_event: Any, context: Any) -> dict[str, int]:
    """Size the service; gives how many tasks run. Raises NotYetError while tasks are still ending."""
    ecs = boto3.client("ecs", config=TIME_LIMITS)
    scaling = boto3.client("application-autoscaling", config=TIME_LIMITS)
    cluster, service = os.environ["CLUSTER"], os.environ["SERVICE"]
    minimum, maximum = int(os.environ["MINIMUM"]), int(os.environ["MAXIMUM"])
    # Before the count: the old bounds would let scaling undo it.
    scaling.register_scalable_target(
        ServiceNamespace="ecs",
        ResourceId=f"service/{cluster}/{service}",
        ScalableDimension="ecs:service:DesiredCount",
        MinCapacity=minimum,
        MaxCapacity=maximum,
    )
    wanted = _described(ecs, cluster, service)["desiredCount"]
    within = max(minimum, min(wanted, maximum))
    if within != wanted:
        ecs.update_service(cluster=cluster, service=service, desiredCount=within)
    if maximum == 0:
        wait_until(lambda: _still_running(ecs, cluster, service), context)
    running: int = _described(ecs, cluster, service)["runningCount"]
    return {"minimum": minimum, "maximum": maximum, "running": running}


def _still_running(ecs: Any, cluster: str, service: str) -> str | None:
    running = _described(ecs, cluster, service)["runningCount"]
    return f"tasks of {service} that still run: {running}" if running else None


def _described(ecs: Any, cluster: str, service: str) -> dict[str, Any]:
    (found,) = ecs.describe_services(cluster=cluster, services=[service])["services"]
    described: dict[str, Any] = found
    return described
