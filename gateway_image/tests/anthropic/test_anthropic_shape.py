"""What every answer under /v1/messages has in common, whatever becomes of the request."""

import json
from collections.abc import MutableMapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway.admission.outcome import Allowance, Allowances, LimitExceededError
from gateway.errors import GatewayError
from gateway.request import CONNECTION, Request

pytestmark = pytest.mark.anyio


class Wire:
    """A request without a server, and what was sent in answer to it."""

    def __init__(self, path: str, *headers: tuple[bytes, bytes]) -> None:
        self.sent: list[MutableMapping[str, Any]] = []
        state = {CONNECTION: None}
        scope = {"method": "POST", "path": path, "headers": list(headers), "state": state}
        self.request = Request(scope, self._receive, self._send)

    async def _receive(self) -> MutableMapping[str, Any]:
        raise AssertionError("nothing is read")

    async def _send(self, message: MutableMapping[str, Any]) -> None:
        self.sent.append(message)

    @property
    def headers(self) -> dict[str, str]:
        return {name.decode(): value.decode() for name, value in self.sent[0]["headers"]}

    @property
    def body(self) -> bytes:
        return b"".join(message["body"] for message in self.sent[1:])


async def test_an_error() -> None:
    wire = Wire("/v1/messages")
    await wire.request.fail(GatewayError(413, "Too large.", type="invalid_request_error"))
    body = json.loads(wire.body)
    assert (body["type"], body["error"]["type"]) == ("error", "request_too_large")
    assert body["request_id"] == wire.headers["request-id"] == wire.headers["x-request-id"]


async def test_an_error_in_a_stream() -> None:
    wire = Wire("/v1/messages")
    await wire.request.start_event_stream()
    await wire.request.fail(GatewayError(503, "Stopping.", type="api_error", code="stopping"))
    assert wire.body.startswith(b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error"')
    assert wire.body.endswith(b"}\n\n")


async def test_a_limit_that_is_used_up() -> None:
    wire = Wire("/v1/messages/count_tokens")
    allowances = Allowances(Allowance(limit=60, remaining=0, reset_seconds=30), Allowance(5000, 12, 90))
    error = LimitExceededError("Used up.", type="requests", allowances=allowances, retry_after_seconds=7)
    await wire.request.fail(error)
    assert wire.headers["retry-after"] == "7"
    assert wire.headers["anthropic-ratelimit-requests-limit"] == "60"
    assert wire.headers["anthropic-ratelimit-requests-remaining"] == "0"
    reset = datetime.strptime(wire.headers["anthropic-ratelimit-requests-reset"], "%Y-%m-%dT%H:%M:%S%z")
    assert abs(reset - datetime.now(UTC) - timedelta(seconds=30)) < timedelta(seconds=5)
    assert wire.headers["anthropic-ratelimit-tokens-remaining"] == "12"
    assert not [name for name in wire.headers if name.startswith("x-ratelimit")]
    assert "x-should-retry" not in wire.headers


async def test_a_limit_that_waiting_does_not_help() -> None:
    wire = Wire("/v1/messages")
    error = LimitExceededError("Never.", type="tokens", allowances=Allowances(), retry_after_seconds=None)
    await wire.request.fail(error)
    assert wire.headers["x-should-retry"] == "false"
    assert "retry-after" not in wire.headers


async def test_other_paths_keep_openais_shape() -> None:
    wire = Wire("/v1/chat/completions")
    wire.request.tell_allowances(Allowances(Allowance(limit=60, remaining=59, reset_seconds=61)))
    await wire.request.fail(GatewayError(503, "Stopping.", type="api_error", code="stopping"))
    assert json.loads(wire.body) == {
        "error": {"message": "Stopping.", "type": "api_error", "param": None, "code": "stopping"}
    }
    assert "request-id" not in wire.headers
    assert wire.headers["x-ratelimit-remaining-requests"] == "59"
    assert wire.headers["x-ratelimit-reset-requests"] == "1m1s"


async def test_headers_of_one_name_are_one_list() -> None:
    wire = Wire("/v1/messages", (b"anthropic-beta", b"a"), (b"x-app", b"cli"), (b"anthropic-beta", b"b,c"))
    assert wire.request.headers["anthropic-beta"] == "a, b,c"
    assert wire.request.header(b"x-app") == "cli"
