"""The application over ASGI itself, without a server."""

import asyncio
import io
import json
import threading
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import pytest

from gateway.application import Application, Routes
from gateway.errors import invalid_request
from gateway.metrics import Metrics
from gateway.request import CONNECTION, Request
from gateway.structured_log import StructuredLog

pytestmark = pytest.mark.anyio

LIMIT = 1024


class Caller:
    """One caller's request and what it gets back."""

    def __init__(self, method: str, path: str, body: bytes = b"", **headers: str) -> None:
        names = {"content_type": "application/json"} | headers
        self.scope = {
            "type": "http",
            "method": method,
            "path": path,
            "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in names.items()],
            "state": {CONNECTION: self},
        }
        self._on_loss: Callable[[], None] | None = None
        self.incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.incoming.put_nowait({"type": "http.request", "body": body, "more_body": False})
        self.sent: list[MutableMapping[str, Any]] = []

    async def send(self, message: MutableMapping[str, Any]) -> None:
        self.sent.append(message)

    has_all = False

    def when_lost(self, act: Callable[[], None]) -> None:
        self._on_loss = act

    def forget(self, act: Callable[[], None]) -> None:
        if self._on_loss == act:
            self._on_loss = None

    def leave(self) -> None:
        self.incoming.put_nowait({"type": "http.disconnect"})
        if self._on_loss is not None:
            self._on_loss()

    async def call(self, application: Application) -> "Caller":
        await application(self.scope, self.incoming.get, self.send)
        return self

    @property
    def status(self) -> int:
        status: int = self.sent[0]["status"]
        return status

    @property
    def headers(self) -> dict[str, str]:
        return {name.decode(): value.decode() for name, value in self.sent[0]["headers"]}

    @property
    def body(self) -> bytes:
        return b"".join(message["body"] for message in self.sent[1:])

    @property
    def error(self) -> dict[str, Any]:
        error: dict[str, Any] = json.loads(self.body)["error"]
        return error


@pytest.fixture
def output() -> io.BytesIO:
    return io.BytesIO()


def application(output: io.BytesIO, post: Callable[[Request], Awaitable[None]]) -> Application:
    routes = {"/thing": {"POST": post, "GET": post}}
    return Application(routes, StructuredLog(output, "info"), Metrics(), set())


async def echo(request: Request) -> None:
    await request.respond(200, await request.read_json_body(LIMIT))


def last_line(output: io.BytesIO) -> dict[str, Any]:
    line: dict[str, Any] = json.loads(output.getvalue().splitlines()[-1])
    return line


async def test_an_answer_and_its_log_line(output: io.BytesIO) -> None:
    caller = await Caller("POST", "/thing", b'{"a":1}').call(application(output, echo))
    assert (caller.status, caller.body) == (200, b'{"a":1}')
    assert caller.headers["content-type"] == "application/json"
    assert caller.headers["content-length"] == "7"
    line = last_line(output)
    assert line["event"] == "request"
    assert (line["method"], line["path"], line["status"]) == ("POST", "/thing", 200)
    assert line["request_id"] == caller.headers["x-request-id"]


@pytest.mark.parametrize(
    ("given", "kept"),
    [("my-request.1_x", True), ("", False), ("a b", False), ("x" * 129, False), ('"', False)],
)
async def test_a_sane_request_id_of_the_caller_is_kept(output: io.BytesIO, given: str, kept: bool) -> None:
    caller = await Caller("POST", "/thing", b"{}", x_request_id=given).call(application(output, echo))
    assert (caller.headers["x-request-id"] == given) is kept
    assert caller.headers["x-request-id"]


async def test_what_is_not_there(output: io.BytesIO) -> None:
    app = application(output, echo)
    unknown = await Caller("GET", "/nothing").call(app)
    assert (unknown.status, unknown.error["code"]) == (404, "unknown_url")
    wrong = await Caller("DELETE", "/thing").call(app)
    assert (wrong.status, wrong.headers["allow"]) == (405, "GET, POST")
    assert wrong.error["type"] == "invalid_request_error"


async def test_routes_that_come_later_are_loaded_once_by_whoever_asks_first(output: io.BytesIO) -> None:
    loaded: list[str] = []

    def later() -> Routes:
        loaded.append(threading.current_thread().name)
        return {"/later": {"POST": echo}, "/later/{name}": {"POST": echo}}

    routes = {"/thing": {"POST": echo}}
    app = Application(routes, StructuredLog(output, "info"), Metrics(), set(), later=later)
    assert (await Caller("POST", "/thing", b"{}").call(app)).status == 200
    assert loaded == []
    paths = ("/later", "/later/one", "/later")
    callers = await asyncio.gather(*(Caller("POST", path, b"{}").call(app) for path in paths))
    assert [caller.status for caller in callers] == [200, 200, 200]
    await app.load_rest()
    assert len(loaded) == 1
    assert loaded[0] != threading.main_thread().name
    assert "/later" in (await Caller("GET", "/nothing").call(app)).error["message"]


async def test_a_body_that_is_not_json_by_its_type(output: io.BytesIO) -> None:
    app = application(output, echo)
    assert (await Caller("POST", "/thing", content_type="text/plain").call(app)).status == 400
    assert (await Caller("POST", "/thing", content_type="").call(app)).status == 400
    charset = await Caller("POST", "/thing", b"{}", content_type="Application/JSON; charset=utf-8").call(app)
    assert charset.status == 200


async def test_a_body_over_the_limit(output: io.BytesIO) -> None:
    app = application(output, echo)
    assert (await Caller("POST", "/thing", b"x" * LIMIT).call(app)).status == 200
    assert (await Caller("POST", "/thing", b"x" * (LIMIT + 1)).call(app)).status == 413
    declared = Caller("POST", "/thing", content_length=str(LIMIT + 1))
    declared.incoming.get_nowait()
    assert (await declared.call(app)).status == 413


async def test_an_error_of_the_gateway_in_openais_shape(output: io.BytesIO) -> None:
    async def refuse(_: Request) -> None:
        raise invalid_request("no such colour", param="colour", code="bad_colour")

    caller = await Caller("POST", "/thing").call(application(output, refuse))
    assert caller.status == 400
    assert caller.error == {
        "message": "no such colour",
        "type": "invalid_request_error",
        "param": "colour",
        "code": "bad_colour",
    }
    assert last_line(output)["error_code"] == "bad_colour"


async def test_an_unexpected_error_is_logged_without_its_message(output: io.BytesIO) -> None:
    async def fail(_: Request) -> None:
        raise ValueError("the caller's prompt")

    caller = await Caller("POST", "/thing").call(application(output, fail))
    assert (caller.status, caller.error["code"]) == (500, "internal_error")
    error = json.loads(output.getvalue().splitlines()[0])
    assert (error["event"], error["exception"]) == ("unexpected_error", "ValueError")
    assert error["request_id"] == caller.headers["x-request-id"]
    assert any("test_application.py" in frame for frame in error["stack"])
    assert b"prompt" not in output.getvalue()


async def test_work_is_cancelled_when_the_caller_leaves(output: io.BytesIO) -> None:
    working, cancelled = asyncio.Event(), asyncio.Event()

    async def work(request: Request) -> None:
        await request.read_json_body(LIMIT)
        with request.cancelled_when_caller_leaves():
            working.set()
            try:
                await asyncio.sleep(60)
            finally:
                cancelled.set()

    caller = Caller("POST", "/thing", b"{}")
    call = asyncio.create_task(caller.call(application(output, work)))
    await working.wait()
    caller.leave()
    await asyncio.wait_for(call, 1)
    assert cancelled.is_set()
    assert caller.sent == []
    assert last_line(output)["status"] == 499


async def test_a_caller_that_leaves_before_its_body_is_whole(output: io.BytesIO) -> None:
    caller = Caller("POST", "/thing")
    caller.incoming.get_nowait()
    caller.incoming.put_nowait({"type": "http.request", "body": b"{", "more_body": True})
    caller.leave()
    await caller.call(application(output, echo))
    assert caller.sent == []
    assert last_line(output)["status"] == 499


@pytest.mark.parametrize("begun", [False, True])
async def test_requests_that_are_stopped_tell_their_callers(output: io.BytesIO, begun: bool) -> None:
    working = asyncio.Event()

    async def work(request: Request) -> None:
        with request.cancelled_when_caller_leaves():
            if begun:
                await request.start_event_stream()
                await request.send_events(b"data: 1\n\n")
            working.set()
            await asyncio.sleep(60)

    app = application(output, work)
    caller = Caller("POST", "/thing", b"{}")
    call = asyncio.create_task(caller.call(app))
    await working.wait()
    app.stop_running_requests()
    await asyncio.wait_for(call, 1)
    if begun:
        first, last = caller.body.decode().removesuffix("\n\n").split("\n\n")
        assert (caller.status, first) == (200, "data: 1")
        assert json.loads(last.removeprefix("data: "))["error"]["code"] == "stopping"
        assert caller.sent[-1]["more_body"] is False
    else:
        assert (caller.status, caller.error["code"]) == (503, "stopping")
        assert caller.headers["retry-after"] == "1"


async def test_an_answer_that_is_whole_gets_no_error_after_it(output: io.BytesIO) -> None:
    answered = asyncio.Event()

    async def stream_and_linger(request: Request) -> None:
        await request.start_event_stream()
        await request.send_events(b"data: [DONE]\n\n")
        await request.end_event_stream()
        answered.set()
        await asyncio.sleep(60)

    app = application(output, stream_and_linger)
    calling = asyncio.create_task(Caller("GET", "/thing").call(app))
    await answered.wait()
    await asyncio.sleep(0.05)
    app.stop_running_requests()
    caller = await calling
    assert caller.body == b"data: [DONE]\n\n"
    record = last_line(output)
    assert (record["status"], record.get("error_code")) == (200, None)
    assert record["latency_ms"] < 50
