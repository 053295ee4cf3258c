"""What the OpenAI SDK does not show: the gateway's HTTP, byte by byte."""

import json
import socket
import time
from typing import Any

import psutil
import pytest

from local.bedrock_simulator.process import RunningSimulator
from local.bedrock_simulator.replies import Reply

CHAT = "/v1/chat/completions"


def chat_body(model: str = "claude", **options: Any) -> bytes:
    return json.dumps(
        {"model": model, "messages": [{"role": "user", "content": "hello"}], **options}
    ).encode()


def error_of(body: bytes) -> dict[str, Any]:
    error: dict[str, Any] = json.loads(body)["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return error


def test_a_request_without_a_key(gateway: Any) -> None:
    for value in ("", "Basic Zm9v", "Bearer", "Bearer "):
        status, headers, body = gateway.request("POST", CHAT, chat_body(), authorization=value)
        assert (status, headers["www-authenticate"]) == (401, "Bearer")
        assert error_of(body)["type"] == "invalid_request_error"


def test_a_wrong_key(gateway: Any) -> None:
    status, _, body = gateway.request("GET", "/v1/models", authorization="Bearer " + "x" * 40)
    assert (status, error_of(body)["code"]) == (401, "invalid_api_key")


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\xff\xfe", b"[]", b'{"model": "claude"}', b"[" * 200_000, b'{"a":' * 200_000],
    ids=["empty", "cut", "not utf-8", "array", "incomplete", "deep arrays", "deep objects"],
)
def test_a_body_that_is_no_chat_request(gateway: Any, body: bytes) -> None:
    status, headers, answer = gateway.request("POST", CHAT, body)
    assert status == 400
    assert error_of(answer)["type"] == "invalid_request_error"
    assert headers["x-request-id"]


def test_a_tool_schema_that_is_nested_too_deeply(gateway: Any) -> None:
    schema = b'{"properties":{"a":' * 5000 + b"{}" + b"}}" * 5000
    body = (
        b'{"model":"claude","messages":[{"role":"user","content":"hi"}],'
        b'"tools":[{"type":"function","function":{"name":"f","parameters":' + schema + b"}}]}"
    )
    status, _, answer = gateway.request("POST", CHAT, body)
    assert status == 400
    error_of(answer)


def test_a_body_over_the_limit_gets_its_answer(start_gateway: Any) -> None:
    gateway = start_gateway(request_body_limit_bytes="1024")
    status, _, body = gateway.request("POST", CHAT, b" " * 1_000_000)
    assert (status, error_of(body)["code"]) == (413, "request_too_large")


def test_unknown_paths_and_methods(gateway: Any) -> None:
    assert gateway.request("GET", "/v1/nothing")[0] == 404
    status, headers, _ = gateway.request("GET", CHAT)
    assert (status, headers["allow"]) == (405, "POST")


def test_health_needs_no_key(gateway: Any) -> None:
    status, _, body = gateway.request("GET", "/health/live", authorization="")
    assert (status, json.loads(body)) == (200, {"status": "live"})
    status, _, body = gateway.request("GET", "/health/ready", authorization="")
    assert status == 200
    # Neither is there in these tests, and the gateway is ready all the same.
    assert json.loads(body) == {"status": "ready", "cache": "unreachable", "database": "unreachable"}


def send_raw(gateway: Any, body: bytes) -> socket.socket:
    host, port = gateway.url.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)), timeout=10)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    head = (
        f"POST {CHAT} HTTP/1.1\r\nhost: gateway\r\nauthorization: Bearer {gateway.key}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    connection.sendall(head.encode() + body)
    return connection


def wait_for_outcome(simulator: RunningSimulator, outcome: str, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while (seen := [call.outcome for call in simulator.control.calls()]) != [outcome]:
        assert time.monotonic() < deadline, seen
        time.sleep(0.01)


def test_a_caller_that_leaves_a_stream_ends_the_call_upstream(
    gateway: Any, simulator: RunningSimulator
) -> None:
    simulator.control.add_reply(Reply(words=3000))
    connection = send_raw(gateway, chat_body(stream=True))
    while b"data:" not in connection.recv(4096):
        pass
    connection.close()
    wait_for_outcome(simulator, "client_left", seconds=0.5)
    assert [line["status"] for line in gateway.log()[-1:]] == [499]


def test_a_caller_that_leaves_before_its_answer_ends_the_call_upstream(
    gateway: Any, simulator: RunningSimulator
) -> None:
    # It would take three seconds.
    simulator.control.add_reply(Reply(words=300))
    connection = send_raw(gateway, chat_body())
    wait_for_outcome(simulator, "running", seconds=0.5)
    connection.close()
    wait_for_outcome(simulator, "client_left", seconds=0.5)


def test_a_caller_that_reads_slowly_costs_no_memory(gateway: Any, simulator: RunningSimulator) -> None:
    # 24 MB, far more than sockets hold. The first time warms the process up.
    simulator.control.add_reply(Reply(text=" ".join(["x" * 8000] * 3000)))
    process = psutil.Process(gateway.process.pid)
    growth = []
    for _ in range(2):
        before = process.memory_info().rss
        with send_raw(gateway, chat_body("fast", stream=True)) as connection:
            assert connection.recv(16) == b"HTTP/1.1 200 OK\r"
            time.sleep(0.5)
            assert simulator.control.calls()[-1].outcome == "running"
            growth.append(process.memory_info().rss - before)
    assert growth[1] < 4_000_000
