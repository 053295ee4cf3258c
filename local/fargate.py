"""Runs the tasks that a deployment starts, in Fargate's place: each one's container is a process here."""

import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from local import aws
from local.errors import LocalError
from local.options import Options
from local.task import Task, read_definition

_PAUSE_SECONDS = 0.2

Start = Callable[[Task], "subprocess.Popen[bytes]"]


@contextmanager
def running_tasks(options: Options, region: str, start: Start) -> Iterator[None]:
    """Run what CloudFormation starts by RunTask while the context lasts, and report how it ends.

    `start` starts a task's process. What still runs at the end is killed.
    """
    stop = threading.Event()
    thread = threading.Thread(target=_run_until, args=(stop, options, region, start), daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _run_until(stop: threading.Event, options: Options, region: str, start: Start) -> None:
    ecs = aws.client("ecs", options, region)
    seen: set[str] = set()
    while not stop.wait(_PAUSE_SECONDS):
        try:
            for task in _waiting(ecs):
                if task["taskArn"] not in seen:
                    seen.add(task["taskArn"])
                    _run(ecs, task, options, region, start, stop)
        except (BotoCoreError, ClientError):
            continue  # an emulator that is busy or stopping: whoever waits for the task has a deadline


def _waiting(ecs: Any) -> Iterator[dict[str, Any]]:
    """The tasks that no service keeps: those of the deployed services are started from `read_task`."""
    for cluster in ecs.list_clusters()["clusterArns"]:
        arns = ecs.list_tasks(cluster=cluster)["taskArns"]
        tasks = ecs.describe_tasks(cluster=cluster, tasks=arns)["tasks"] if arns else []
        yield from (task for task in tasks if not task.get("group", "").startswith("service:"))


def _run(
    ecs: Any, running: dict[str, Any], options: Options, region: str, start: Start, stop: threading.Event
) -> None:
    exit_code: int | None = None
    reason = "Essential container in task exited"
    name = running["containers"][0]["name"]
    try:
        process = start(read_definition(options, region, running["taskDefinitionArn"]))
        exit_code = _wait(process, stop)
    except (LocalError, OSError) as error:
        reason = str(error)
    container = {"containerName": name, "status": "STOPPED"}
    ended: dict[str, Any] = container if exit_code is None else {**container, "exitCode": exit_code}
    ecs.submit_task_state_change(
        cluster=running["clusterArn"],
        task=running["taskArn"],
        status="STOPPED",
        reason=reason,
        containers=[ended],
    )


def _wait(process: "subprocess.Popen[bytes]", stop: threading.Event) -> int:
    while process.poll() is None:
        if stop.wait(_PAUSE_SECONDS):
            process.kill()
    return process.wait()
