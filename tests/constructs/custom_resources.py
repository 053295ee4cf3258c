"""CloudFormation as the function of a custom resource meets it: requests, and an address for the answers."""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, NamedTuple

import boto3
import pytest
from botocore.exceptions import ClientError

from gatehouse.functions import cloudformation, patience

NAME = "Resource"
# A path with a signature, which has to come back as it is.
SIGNED = "/answers?Signature=a%2Fb"
LAMBDA_SECONDS = 900.0


class Answer(NamedTuple):
    """What CloudFormation is told of one request."""

    status: str
    reason: str


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

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._end = clock.now + LAMBDA_SECONDS

    def get_remaining_time_in_millis(self) -> int:
        return round((self._end - self._clock.now) * 1000)


class CustomResource:
    """A resource of a stack, made by the function `on_event` of `module`, which runs here.

    clients: what stands in AWS's place, by the names of services; asking for another is a KeyError.
    stack_status: of its stack; None: the function may not see it. losses: answers that are yet to be lost.
    attributes: what the last answer told for the template to read.
    """

    def __init__(self, module: Any, properties: Mapping[str, Any], url: str) -> None:
        self.clock = Clock()
        self.clients: dict[str, Any] = {"cloudformation": self}
        self.stack_status: str | None = "UPDATE_IN_PROGRESS"
        self.losses = 0
        self.received: list[dict[str, Any]] = []
        self.attributes: dict[str, str] = {}
        self._module = module
        self._properties = properties
        self._url = url

    def event(self, request_type: str = "Create", **more: Any) -> dict[str, Any]:
        """A request; `more` takes the place of its fields."""
        known = {} if request_type == "Create" else {"PhysicalResourceId": NAME}
        return {
            "RequestType": request_type,
            "RequestId": "11111111-2222-3333-4444-555555555555",
            "ResponseURL": f"{self._url}{SIGNED}",
            "StackId": "arn:aws:cloudformation:us-east-1:111111111111:stack/gatehouse-test/1",
            "LogicalResourceId": NAME,
            "ResourceProperties": self._properties,
            **known,
            **more,
        }

    def call(self, event: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Run the function for one event; gives the answers that came."""
        self.received.clear()
        self._module.on_event(event, Context(self.clock))
        return self.received

    def request(self, request_type: str = "Create", **more: Any) -> Answer:
        """Make a request: it has to be answered, once, and always under the same name."""
        event = self.event(request_type, **more)
        (answer,) = self.call(event)
        assert answer["PhysicalResourceId"] == NAME
        for name in ("StackId", "RequestId", "LogicalResourceId"):
            assert answer[name] == event[name]
        self.attributes = answer["Data"]
        return Answer(answer["Status"], answer["Reason"])

    def client(self, service: str, region_name: str | None = None, config: object = None) -> Any:
        """One of another region than the function's own is found as `service.region`."""
        return self.clients[f"{service}.{region_name}" if region_name else service]

    def describe_stacks(self, **asked: Any) -> Any:
        assert asked == {"StackName": self.event()["StackId"]}
        if self.stack_status is None:
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "DescribeStacks")
        return {"Stacks": [{"StackStatus": self.stack_status}]}


@contextmanager
def custom_resource(
    module: Any, properties: Mapping[str, Any], monkeypatch: pytest.MonkeyPatch
) -> Iterator[CustomResource]:
    """A resource that the function in `module` makes, with a clock and AWS clients of the resource's."""
    with _Server() as server:
        resource = server.resource = CustomResource(module, properties, server.url)
        monkeypatch.setattr(boto3, "client", resource.client)
        for each in (module, cloudformation, patience):
            for name in ("monotonic", "sleep"):
                monkeypatch.setattr(each, name, getattr(resource.clock, name), raising=False)
        yield resource


class _Server(HTTPServer):
    """Takes answers over HTTP, as S3 takes them at the addresses that CloudFormation signs."""

    resource: CustomResource

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01})

    def __enter__(self) -> "_Server":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        resource = self.server.resource
        signed = self.path == SIGNED and self.headers["Content-Type"] == ""
        if not signed or len(body) > cloudformation.LONGEST_ANSWER:
            self.send_error(403)
        elif resource.losses > 0:
            resource.losses -= 1
            self.close_connection = True
        else:
            resource.received.append(json.loads(body))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass
