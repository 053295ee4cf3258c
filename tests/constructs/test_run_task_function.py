"""The function behind CloudFormation's one-off tasks: it always answers, and says what happened."""

import io
import json
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from gatehouse.functions.run_task import index

TASK = "arn:aws:ecs:us-east-1:111111111111:task/cluster/0123456789abcdef"
PROPERTIES = {
    "Cluster": "arn:aws:ecs:us-east-1:111111111111:cluster/cluster",
    "TaskDefinition": "arn:aws:ecs:us-east-1:111111111111:task-definition/migrations:7",
    "Container": "migrations",
    "Subnets": ["subnet-a", "subnet-b"],
    "SecurityGroups": ["sg-1"],
    "LogGroup": "group-of-the-migrations",
}
LOG = "its log: group group-of-the-migrations, stream migrations/migrations/0123456789abcdef"


def _event(request_type: str = "Create", **more: str) -> dict[str, Any]:
    return {
        "RequestType": request_type,
        "RequestId": "11111111-2222-3333-4444-555555555555",
        "ResponseURL": "https://cloudformation.example.com/answer",
        "StackId": "arn:aws:cloudformation:us-east-1:111111111111:stack/service/1",
        "LogicalResourceId": "Migrated",
        "ResourceProperties": PROPERTIES,
        **more,
    }


def _task(exit_code: int | None = None, status: str = "STOPPED", **more: str) -> dict[str, Any]:
    container = {"name": "migrations"} | ({} if exit_code is None else {"exitCode": exit_code})
    return {"taskArn": TASK, "lastStatus": status, "containers": [container], **more}


def _refused(code: str, operation: str = "RunTask") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "not now"}}, operation)


class Ecs:
    """Answers with what it is given, the last of it again and again; an exception is raised."""

    def __init__(self, *, starts: list[Any] | None = None, tasks: list[Any] | None = None) -> None:
        self.starts = starts or [{"tasks": [{"taskArn": TASK}], "failures": []}]
        self.tasks = tasks or [_task(0)]
        self.started: list[dict[str, Any]] = []
        self.stopped: list[dict[str, Any]] = []

    def run_task(self, **asked: Any) -> Any:
        self.started.append(asked)
        return _next(self.starts)

    def describe_tasks(self, **asked: Any) -> Any:
        assert asked == {"cluster": PROPERTIES["Cluster"], "tasks": [TASK]}
        task = _next(self.tasks)
        return {"tasks": [task] if task else []}

    def stop_task(self, **asked: Any) -> None:
        self.stopped.append(asked)


class Logs:
    """The log of the task; without lines there is no stream."""

    def __init__(self, *lines: str) -> None:
        self.lines = lines

    def get_log_events(self, **asked: Any) -> Any:
        assert asked["logGroupName"] == PROPERTIES["LogGroup"]
        assert asked["logStreamName"] == "migrations/migrations/0123456789abcdef"
        assert asked["startFromHead"] is False
        if not self.lines:
            raise _refused("ResourceNotFoundException", "GetLogEvents")
        return {"events": [{"message": line} for line in self.lines[-asked["limit"] :]]}


class CloudFormation:
    """A stack in one state; None: nobody may know which."""

    def __init__(self, status: str | None) -> None:
        self.status = status

    def describe_stacks(self, **asked: Any) -> Any:
        assert asked == {"StackName": _event()["StackId"]}
        if self.status is None:
            raise _refused("AccessDenied", "DescribeStacks")
        return {"Stacks": [{"StackStatus": self.status}]}


def _next(answers: list[Any]) -> Any:
    answer = answers.pop(0) if len(answers) > 1 else answers[0]
    if isinstance(answer, Exception):
        raise answer
    return answer


class Clock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Context:
    """What Lambda hands over."""

    def get_remaining_time_in_millis(self) -> int:
        return 900_000


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(index, "monotonic", clock.monotonic)
    monkeypatch.setattr(index, "sleep", clock.sleep)
    return clock


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What CloudFormation is told."""
    received: list[dict[str, Any]] = []

    def urlopen(request: urllib.request.Request, timeout: float) -> io.BytesIO:
        assert request.get_method() == "PUT"
        assert request.full_url == "https://cloudformation.example.com/answer"
        assert isinstance(request.data, bytes)
        received.append(json.loads(request.data))
        return io.BytesIO()

    monkeypatch.setattr(urllib.request, "urlopen", urlopen)
    return received


@pytest.fixture
def offer(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Puts these in AWS's place."""

    def offer(ecs: Ecs, logs: Logs | None = None, *, status: str | None = "UPDATE_IN_PROGRESS") -> None:
        clients = {"ecs": ecs, "logs": logs or Logs(), "cloudformation": CloudFormation(status)}
        monkeypatch.setattr(boto3, "client", lambda service: clients[service])

    return offer


def _run(ecs: Ecs, clock: Clock, seconds: float = 840, logs: Logs | None = None) -> None:
    index.run(ecs, logs or Logs(), _event(), clock.now + seconds)


def test_a_task_is_started_as_told_and_awaited(clock: Clock) -> None:
    ecs = Ecs(tasks=[None, _task(status="PROVISIONING"), _task(status="RUNNING"), _task(0)])
    _run(ecs, clock)
    (asked,) = ecs.started
    assert asked["cluster"] == PROPERTIES["Cluster"]
    assert asked["taskDefinition"] == PROPERTIES["TaskDefinition"]
    assert asked["launchType"] == "FARGATE"
    assert asked["networkConfiguration"]["awsvpcConfiguration"] == {
        "subnets": ["subnet-a", "subnet-b"],
        "securityGroups": ["sg-1"],
        "assignPublicIp": "DISABLED",
    }
    assert len(asked["clientToken"]) <= 64
    assert ecs.stopped == []


@pytest.mark.parametrize("exit_code", [1, 2, 137, None])
def test_any_other_end_is_a_failure_that_names_the_log(clock: Clock, exit_code: int | None) -> None:
    ecs = Ecs(tasks=[_task(exit_code, stoppedReason="Essential container in task exited")])
    with pytest.raises(index.TaskError) as caught:
        _run(ecs, clock)
    said = "none" if exit_code is None else exit_code
    assert str(caught.value) == f"exit code {said}; Essential container in task exited; {LOG}"


def test_the_end_of_the_log_is_told_too(clock: Clock) -> None:
    """When a first deployment fails, the log group goes with everything else."""
    logs = Logs("one", "two\n", "three", f'{{"event":"migration_failed","reason":"{"x" * 5000}"}}')
    with pytest.raises(index.TaskError) as caught:
        _run(Ecs(tasks=[_task(1)]), clock, logs=logs)
    lines = str(caught.value).splitlines()
    assert lines[0] == f"exit code 1; {LOG}"
    assert lines[1:3] == ["two", "three"]
    assert lines[3].startswith('{"event":"migration_failed","reason":"xxx')
    assert len(str(caught.value)) < 2000


def test_permissions_and_capacity_may_come_a_little_later(clock: Clock) -> None:
    failure = {"tasks": [], "failures": [{"reason": "Capacity is unavailable at this time."}]}
    started = {"tasks": [{"taskArn": TASK}], "failures": []}
    refusals = ["AccessDeniedException", "ClientException", "InvalidParameterException"]
    ecs = Ecs(starts=[*map(_refused, refusals), failure, started])
    _run(ecs, clock)
    # The same token each time: whichever call reaches ECS, one task is started.
    assert len({asked["clientToken"] for asked in ecs.started}) == 1
    assert len(ecs.started) == 5


def test_permissions_that_never_come_end_the_waiting(clock: Clock) -> None:
    began = clock.now
    with pytest.raises(index.TaskError, match=r"cannot be started: .*AccessDeniedException"):
        _run(Ecs(starts=[_refused("AccessDeniedException")]), clock)
    assert clock.now - began <= index.START_SECONDS + index.RETRY_SECONDS


def test_a_refusal_that_will_not_pass_is_told_at_once(clock: Clock) -> None:
    ecs = Ecs(starts=[_refused("ClusterNotFoundException")])
    with pytest.raises(ClientError, match="ClusterNotFound"):
        _run(ecs, clock)
    assert len(ecs.started) == 1


def test_a_task_that_never_started_is_started_again_as_another(clock: Clock) -> None:
    failed = _task(stopCode="TaskFailedToStart", stoppedReason="ResourceInitializationError")
    ecs = Ecs(tasks=[failed, _task(0)])
    _run(ecs, clock)
    assert len({asked["clientToken"] for asked in ecs.started}) == 2


def test_it_is_not_started_without_end(clock: Clock) -> None:
    ecs = Ecs(tasks=[_task(stopCode="TaskFailedToStart", stoppedReason="CannotPullContainerError")])
    with pytest.raises(index.TaskError, match="exit code none; CannotPullContainerError"):
        _run(ecs, clock)
    assert len(ecs.started) == index.START_ATTEMPTS


def test_a_task_that_ran_is_never_started_again(clock: Clock) -> None:
    ecs = Ecs(tasks=[_task(1, stopCode="EssentialContainerExited")])
    with pytest.raises(index.TaskError):
        _run(ecs, clock)
    assert len(ecs.started) == 1


def test_a_glitch_while_waiting_does_not_lose_the_task(clock: Clock) -> None:
    _run(Ecs(tasks=[_refused("ServerException", "DescribeTasks"), _task(status="RUNNING"), _task(0)]), clock)


def test_a_task_that_takes_too_long_is_stopped(clock: Clock) -> None:
    ecs = Ecs(tasks=[_task(status="RUNNING")])
    began = clock.now
    with pytest.raises(index.TaskError, match="took too long and was stopped") as caught:
        _run(ecs, clock, seconds=600)
    assert LOG in str(caught.value)
    assert [asked["task"] for asked in ecs.stopped] == [TASK]
    assert clock.now - began <= 600 + index.POLL_SECONDS


@pytest.mark.parametrize("request_type", ["Create", "Update", "Delete"])
def test_every_request_is_answered_under_one_name(
    request_type: str, clock: Clock, answers: list[dict[str, Any]], offer: Callable[..., None]
) -> None:
    ecs = Ecs()
    offer(ecs)
    event = _event(request_type, **({} if request_type == "Create" else {"PhysicalResourceId": "Migrated"}))
    index.on_event(event, Context())
    (answer,) = answers
    assert answer["Status"] == "SUCCESS"
    assert answer["PhysicalResourceId"] == "Migrated"
    for name in ("StackId", "RequestId", "LogicalResourceId"):
        assert answer[name] == event[name]
    assert len(ecs.started) == (0 if request_type == "Delete" else 1)


@pytest.mark.parametrize(
    ("status", "starts"), [("UPDATE_ROLLBACK_IN_PROGRESS", 0), ("UPDATE_IN_PROGRESS", 1), (None, 1)]
)
def test_nothing_runs_while_an_update_is_taken_back(
    status: str | None, starts: int, clock: Clock, answers: list[dict[str, Any]], offer: Callable[..., None]
) -> None:
    """What made the update fail, such as a database that is away, would make its rollback fail too."""
    ecs = Ecs()
    offer(ecs, status=status)
    index.on_event(_event("Update", PhysicalResourceId="Migrated"), Context())
    assert [answer["Status"] for answer in answers] == ["SUCCESS"]
    assert len(ecs.started) == starts


def test_a_failure_is_answered_too(
    clock: Clock, answers: list[dict[str, Any]], offer: Callable[..., None]
) -> None:
    offer(Ecs(tasks=[_task(1)]))
    index.on_event(_event(), Context())
    (answer,) = answers
    assert answer["Status"] == "FAILED"
    assert LOG in answer["Reason"]


def test_what_nobody_thought_of_is_answered_too(
    clock: Clock, answers: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def client(service: str) -> Any:
        raise KeyError("x" * 5000)

    monkeypatch.setattr(boto3, "client", client)
    index.on_event(_event("Update", PhysicalResourceId="Migrated"), Context())
    (answer,) = answers
    assert answer["Status"] == "FAILED"
    assert answer["Reason"].startswith("KeyError: ")
    assert len(json.dumps(answer)) < 4096


def test_the_answer_comes_before_lambda_ends_the_function(
    clock: Clock, answers: list[dict[str, Any]], offer: Callable[..., None]
) -> None:
    offer(Ecs(tasks=[_task(status="RUNNING")]))
    began = clock.now
    index.on_event(_event(), Context())
    assert answers[0]["Status"] == "FAILED"
    assert clock.now - began < 900 - index.RESERVED_SECONDS / 2


def test_an_answer_that_is_lost_is_given_again(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []

    def urlopen(request: urllib.request.Request, timeout: float) -> io.BytesIO:
        tried.append(request)
        if len(tried) < 3:
            raise urllib.error.URLError("reset")
        return io.BytesIO()

    monkeypatch.setattr(urllib.request, "urlopen", urlopen)
    index.answer(_event(), "SUCCESS", "")
    assert len(tried) == 3
