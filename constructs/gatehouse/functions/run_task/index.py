"""A custom resource of CloudFormation: an ECS task that runs once, to its end, when its definition changes.

Properties: Cluster, TaskDefinition (ARNs), Container (whose exit code counts), Subnets, SecurityGroups (lists
of IDs), LogGroup (its streams begin with the container's name; the last lines are told when the task fails).
Creating and updating it runs the task and succeeds when the container exits with 0. Removing it does nothing,
and neither does the update by which CloudFormation takes back one that failed: what does not run there cannot
fail there again.

A task that takes longer than Lambda allows is stopped, so that there is time for an answer.
"""

import json
from time import monotonic, sleep
from typing import Any

import boto3
from botocore.exceptions import ClientError

from gatehouse.functions import cloudformation
from gatehouse.functions.cloudformation import Event

POLL_SECONDS = 3.0
# A role's policies take effect some seconds after CloudFormation has created them; capacity comes and goes.
START_ATTEMPTS = 3
START_SECONDS = 120.0
RETRY_SECONDS = 10.0
_TEMPORARY_ERRORS = {
    "AccessDeniedException",
    "ClientException",
    # Of an account's first cluster: ECS may not use its service-linked role yet.
    "InvalidParameterException",
    "ServerException",
    "ThrottlingException",
}
_LAST_LINES = 3
_LONGEST_LINE = 500


class TaskError(Exception):
    """The task did not do what it is for; the message says what is known and where to look."""


@cloudformation.answered
def on_event(event: Event, context: Any) -> str:
    """Run the task if it is time to."""
    if event["RequestType"] == "Delete" or cloudformation.is_taken_back(event):
        return "there is nothing to run"
    run(boto3.client("ecs"), boto3.client("logs"), event, cloudformation.deadline(context))
    return "the task exited with 0"


def run(ecs: Any, logs: Any, event: Event, deadline: float) -> None:
    """Run the task to its end. Raises TaskError unless its container exits with 0 before the deadline.

    A task that ECS could not even start is started again, `START_ATTEMPTS` times in all.
    """
    properties = event["ResourceProperties"]
    for attempt in range(START_ATTEMPTS):
        arn = _start(ecs, properties, f"{event['RequestId']}-{attempt}", deadline)
        task = _ended(ecs, logs, properties, arn, deadline)
        if task.get("stopCode") != "TaskFailedToStart":
            break
        sleep(RETRY_SECONDS)
    if [c.get("exitCode") for c in task["containers"] if c["name"] == properties["Container"]] != [0]:
        raise TaskError(_failure(logs, task, properties))


def _start(ecs: Any, properties: Event, token: str, deadline: float) -> str:
    """Start the task, patiently; the token makes a repeated call start it once."""
    last = min(deadline, monotonic() + START_SECONDS)
    while True:
        problem = ""
        try:
            started = ecs.run_task(
                cluster=properties["Cluster"],
                taskDefinition=properties["TaskDefinition"],
                launchType="FARGATE",
                count=1,
                clientToken=token,
                networkConfiguration={
                    "awsvpcConfiguration": {
                        "subnets": properties["Subnets"],
                        "securityGroups": properties["SecurityGroups"],
                        "assignPublicIp": "DISABLED",
                    }
                },
            )
            if started["tasks"]:
                arn: str = started["tasks"][0]["taskArn"]
                return arn
            problem = json.dumps(started["failures"])
        except ClientError as error:
            problem = _temporary(error)
        if monotonic() > last:
            raise TaskError(f"the task cannot be started: {problem}")
        sleep(RETRY_SECONDS)


def _ended(ecs: Any, logs: Any, properties: Event, arn: str, deadline: float) -> dict[str, Any]:
    """Wait for the task's end; at the deadline it is stopped, so that nothing goes on unobserved."""
    task: dict[str, Any] = {"taskArn": arn, "containers": []}
    while monotonic() < deadline:
        try:
            found = ecs.describe_tasks(cluster=properties["Cluster"], tasks=[arn])["tasks"]
        except ClientError as error:
            print(json.dumps({"task": arn, "error": _temporary(error)}))
            found = []
        # A task that has just been started may not be there yet.
        task = found[0] if found else task
        if task.get("lastStatus") == "STOPPED":
            return task
        sleep(POLL_SECONDS)
    ecs.stop_task(cluster=properties["Cluster"], task=arn, reason="it took longer than its deployment waits")
    raise TaskError(f"the task took too long and was stopped; {_log(logs, task, properties)}")


def _temporary(error: ClientError) -> str:
    """What an error says that may pass; any other is raised again."""
    if error.response["Error"]["Code"] not in _TEMPORARY_ERRORS:
        raise error
    return str(error)


def _failure(logs: Any, task: dict[str, Any], properties: Event) -> str:
    container: dict[str, Any] = next(
        (c for c in task["containers"] if c["name"] == properties["Container"]), {}
    )
    said = [
        f"exit code {container.get('exitCode', 'none')}",
        container.get("reason"),
        task.get("stoppedReason"),
        _log(logs, task, properties),
    ]
    return "; ".join(word for word in said if word)


def _log(logs: Any, task: dict[str, Any], properties: Event) -> str:
    """Where the task's log is, and its end: the group itself goes when a stack's creation is rolled back."""
    task_id = task["taskArn"].rpartition("/")[2]
    stream = f"{properties['Container']}/{properties['Container']}/{task_id}"
    said = f"its log: group {properties['LogGroup']}, stream {stream}"
    try:
        found = logs.get_log_events(
            logGroupName=properties["LogGroup"],
            logStreamName=stream,
            limit=_LAST_LINES,
            startFromHead=False,
        )
    except ClientError as error:
        # No stream: the container never started.
        print(json.dumps({"task": task["taskArn"], "error": str(error)}))
        return said
    lines = [event["message"].strip()[:_LONGEST_LINE] for event in found["events"]]
    return "\n".join([said, *lines])
