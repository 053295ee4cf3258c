"""The function behind CloudFormation's one-off tasks: when it runs one, and what it says of it."""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from gatehouse.functions import cloudformation
from gatehouse.functions.run_task import index
from tests.constructs.custom_resources import LAMBDA_SECONDS, Clock, CustomResource, custom_resource

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


def _next(answers: list[Any]) -> Any:
    answer = answers.pop(0) if len(answers) > 1 else answers[0]
    if isinstance(answer, Exception):
        raise answer
    return answer


@pytest.fixture
def resource(monkeypatch: pytest.MonkeyPatch) -> Iterator[CustomResource]:
    with custom_resource(index, PROPERTIES, monkeypatch) as resource:
        resource.clients |= {"ecs": Ecs(), "logs": Logs()}
        yield resource


@pytest.fixture
def clock(resource: CustomResource) -> Clock:
    return resource.clock


def _run(ecs: Ecs, clock: Clock, seconds: float = 840, logs: Logs | None = None) -> None:
    event = {"RequestId": "11111111-2222-3333-4444-555555555555", "ResourceProperties": PROPERTIES}
    index.run(ecs, logs or Logs(), event, clock.now + seconds)


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


@pytest.mark.parametrize(("request_type", "starts"), [("Create", 1), ("Update", 1), ("Delete", 0)])
def test_a_task_runs_when_the_resource_is_made_or_changed(
    request_type: str, starts: int, resource: CustomResource
) -> None:
    assert resource.request(request_type).status == "SUCCESS"
    assert len(resource.clients["ecs"].started) == starts


@pytest.mark.parametrize(
    ("status", "starts"), [("UPDATE_ROLLBACK_IN_PROGRESS", 0), ("UPDATE_IN_PROGRESS", 1), (None, 1)]
)
def test_nothing_runs_while_an_update_is_taken_back(
    status: str | None, starts: int, resource: CustomResource
) -> None:
    """What made the update fail, such as a database that is away, would make its rollback fail too."""
    resource.stack_status = status
    assert resource.request("Update").status == "SUCCESS"
    assert len(resource.clients["ecs"].started) == starts


def test_a_failure_is_told_with_the_place_of_the_log(resource: CustomResource) -> None:
    resource.clients["ecs"] = Ecs(tasks=[_task(1)])
    assert resource.request() == ("FAILED", f"TaskError: exit code 1; {LOG}")


def test_the_answer_comes_before_lambda_ends_the_function(resource: CustomResource, clock: Clock) -> None:
    resource.clients["ecs"] = Ecs(tasks=[_task(status="RUNNING")])
    began = clock.now
    assert resource.request().status == "FAILED"
    assert clock.now - began < LAMBDA_SECONDS - cloudformation.RESERVED_SECONDS / 2
