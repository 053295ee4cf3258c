"""The function that applies manifests, the API of a cluster that it reaches, and the stack that calls it."""

import base64
import io
import json
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from gatehouse.functions import cloudformation
from gatehouse.functions.apply_manifests import alarms, cluster, index, kubernetes_api, waiting
from local.kubernetes.cluster import Cluster
from local.kubernetes.server import ApiServer, serve
from local.kubernetes.tokens import TokenReview
from tests.constructs.apply_manifests.objects import Object

NAME = "gatehouse-prod"
REGION = "eu-central-1"
STACK = f"arn:aws:cloudformation:{REGION}:111111111111:stack/gatehouse-prod-service"
LAMBDA_SECONDS = 900.0
# Of a function that is about to run out of it.
SHORT_SECONDS = 90.0
ALARM = "gatehouse-prod-errors"

Answers = list[dict[str, Any]]


class Clock:
    """Time that passes only by sleeping; what is due happens then."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.due: list[tuple[float, Callable[[], None]]] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        for entry in [entry for entry in self.due if entry[0] <= self.now - 1000.0]:
            self.due.remove(entry)
            entry[1]()

    def after(self, seconds: float, happens: Callable[[], None]) -> None:
        self.due.append((seconds, happens))


class Context:
    """What Lambda hands over."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def get_remaining_time_in_millis(self) -> int:
        return int(self.seconds * 1000)


class Aws:
    """The AWS APIs that the function calls: EKS, CloudWatch and CloudFormation."""

    def __init__(self, server: ApiServer) -> None:
        self.cluster: Object | None = {
            "status": "ACTIVE",
            "endpoint": server.endpoint,
            "certificateAuthority": {"data": base64.b64encode(server.authority.encode()).decode()},
        }
        self.denials = 0
        self.blind_looks = 0
        self.alarms = [ALARM]
        self.on: set[str] = set()
        self.looks = 0
        self.stack_status = "UPDATE_IN_PROGRESS"

    def describe_cluster(self, *, name: str) -> Object:
        assert name == NAME
        if self.denials:
            self.denials -= 1
            raise _refused("AccessDeniedException", "DescribeCluster")
        if self.cluster is None:
            raise _refused("ResourceNotFoundException", "DescribeCluster")
        return {"cluster": self.cluster}

    def describe_alarms(self, **asked: Any) -> Object:
        assert asked == {"AlarmNames": [ALARM], "AlarmTypes": ["MetricAlarm"], "StateValue": "ALARM"}
        self.looks += 1
        if self.blind_looks:
            self.blind_looks -= 1
            raise _refused("Throttling", "DescribeAlarms")
        return {"MetricAlarms": [{"AlarmName": name} for name in self.on]}

    def describe_stacks(self, **asked: Any) -> Object:
        assert asked == {"StackName": f"{STACK}/1"}
        return {"Stacks": [{"StackStatus": self.stack_status}]}


def _refused(code: str, operation: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, operation)


@pytest.fixture
def kubernetes() -> Cluster:
    return Cluster()


@pytest.fixture
def server(kubernetes: Cluster) -> Iterator[ApiServer]:
    review = TokenReview(NAME, REGION, {"AKIDEPLOY": "secret-of-the-role"})
    with serve(kubernetes, review.is_valid) as server:
        yield server


@pytest.fixture(scope="module")
def role() -> Any:
    """A session with the credentials of the function's role, and its client of AWS STS."""
    session = boto3.Session("AKIDEPLOY", "secret-of-the-role", region_name=REGION)
    return session, session.client("sts")


@pytest.fixture
def aws(server: ApiServer, role: Any, monkeypatch: pytest.MonkeyPatch) -> Aws:
    """AWS with the cluster in it; the function's own credentials sign its tokens."""
    aws = Aws(server)
    real, sts = role

    class Session:
        events = real.events
        get_credentials = real.get_credentials

        def client(self, service: str, config: Any = None) -> Any:
            return sts if service == "sts" else aws

    monkeypatch.setattr(boto3, "Session", Session)
    monkeypatch.setattr(boto3, "client", lambda service, config=None: aws)
    return aws


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    for module in (alarms, cloudformation, cluster, index, kubernetes_api, waiting):
        monkeypatch.setattr(module, "monotonic", clock.monotonic)
        monkeypatch.setattr(module, "sleep", clock.sleep, raising=module is not index)
    return clock


@pytest.fixture(autouse=True)
def answers(monkeypatch: pytest.MonkeyPatch) -> Answers:
    """What CloudFormation is told."""
    received: Answers = []

    def urlopen(request: urllib.request.Request, timeout: float) -> io.BytesIO:
        assert isinstance(request.data, bytes)
        received.append(json.loads(request.data))
        return io.BytesIO()

    monkeypatch.setattr(urllib.request, "urlopen", urlopen)
    return received


class Stack:
    """A stack with one resource of manifests, as CloudFormation drives it; keeps each answer."""

    def __init__(self, aws: Aws, clock: Clock, answers: Answers) -> None:
        self.aws, self.clock, self.answers = aws, clock, answers
        self.properties: Object = {}
        self.physical_id = ""
        self.id = f"{STACK}/1"
        self.seconds = LAMBDA_SECONDS

    def create(self, *manifests: Object) -> str:
        self.properties = self._properties(manifests)
        return self._succeeded(self._send("Create", self.properties))

    def update(self, *manifests: Object) -> str:
        """A successful update, with the removal of what is not needed any more."""
        before, physical_id = self.properties, self.physical_id
        self.properties = self._properties(manifests)
        reason = self._succeeded(self._send("Update", self.properties, before))
        if self.physical_id != physical_id:
            self.clean_up(before, physical_id)
        return reason

    def fail_to_create(self, *manifests: Object) -> str:
        self.properties = self._properties(manifests)
        return self._failed(self._send("Create", self.properties))

    def fail_to_update(self, *manifests: Object) -> str:
        """A failed update; CloudFormation takes it back next."""
        self.failed = self._properties(manifests)
        return self._failed(self._send("Update", self.failed, self.properties))

    def take_back(self, *, with_clean_up: bool = True) -> str:
        self.aws.stack_status = "UPDATE_ROLLBACK_IN_PROGRESS"
        failed_id = self.physical_id
        reason = self._succeeded(self._send("Update", self.properties, self.failed))
        assert self.physical_id != failed_id
        if with_clean_up:
            self.clean_up(self.failed, failed_id)
        self.aws.stack_status = "UPDATE_IN_PROGRESS"
        return reason

    def clean_up(self, properties: Object, physical_id: str) -> None:
        current, self.physical_id = self.physical_id, physical_id
        self._succeeded(self._send("Delete", properties))
        self.physical_id = current

    def delete(self) -> str:
        return self._succeeded(self._send("Delete", self.properties))

    def fail_to_delete(self) -> str:
        return self._failed(self._send("Delete", self.properties))

    def _properties(self, manifests: tuple[Object, ...]) -> Object:
        return {"Cluster": NAME, "Manifests": json.dumps(manifests), "Alarms": self.aws.alarms}

    def _send(self, request_type: str, properties: Object, old: Object | None = None) -> dict[str, Any]:
        begun = self.clock.now
        event = {
            "RequestType": request_type,
            "RequestId": "11111111-2222-3333-4444-555555555555",
            "ResponseURL": "https://cloudformation.example.com/answer",
            "StackId": self.id,
            "LogicalResourceId": "Workload",
            "ResourceProperties": properties,
        }
        if old is not None:
            event["OldResourceProperties"] = old
        if self.physical_id:
            event["PhysicalResourceId"] = self.physical_id
        index.on_event(event, Context(self.seconds))
        assert self.clock.now - begun <= self.seconds - cloudformation.RESERVED_SECONDS
        answer = self.answers.pop()
        assert self.answers == []
        self.physical_id = answer["PhysicalResourceId"]
        return answer

    def _succeeded(self, answer: dict[str, Any]) -> str:
        assert answer["Status"] == "SUCCESS", answer["Reason"]
        return str(answer["Reason"])

    def _failed(self, answer: dict[str, Any]) -> str:
        assert answer["Status"] == "FAILED", answer["Reason"]
        return str(answer["Reason"])


@pytest.fixture
def stack(aws: Aws, clock: Clock, answers: Answers) -> Stack:
    return Stack(aws, clock, answers)
