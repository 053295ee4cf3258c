import asyncio
import io
import json
import socket
import subprocess
import sys
import threading
from typing import Any

import pytest

from gateway import reachability as module
from gateway.application import Application
from gateway.health import Health
from gateway.healthcheck import is_alive
from gateway.metrics import Metrics
from gateway.reachability import Reachability, UnreachableError
from gateway.request import CONNECTION
from gateway.shutdown import Shutdown
from gateway.structured_log import StructuredLog


async def fine() -> None:
    return


async def away() -> None:
    raise UnreachableError("ConnectionRefusedError")


async def silent() -> None:
    await asyncio.sleep(60)


async def get(application: Application, path: str) -> tuple[int, dict[str, Any]]:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    state = {CONNECTION: None}
    scope = {"type": "http", "method": "GET", "path": path, "headers": [], "state": state}
    await application(scope, receive, send)
    return sent[0]["status"], json.loads(sent[1]["body"])


@pytest.mark.anyio
async def test_ready_reports_the_others_and_depends_on_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LIMIT_SECONDS", 0.05)
    monkeypatch.setattr(module, "_INTERVAL_SECONDS", 0.01)
    output = io.BytesIO()
    log = StructuredLog(output, "info")
    reachability = Reachability(fine, away, log)
    shutdown = Shutdown()
    health = Health(reachability, shutdown)
    routes = {"/health/live": {"GET": health.live}, "/health/ready": {"GET": health.ready}}
    application = Application(routes, log, Metrics(), set())
    assert await get(application, "/health/ready") == (
        200,
        {"status": "ready", "cache": "unknown", "database": "unknown"},
    )
    watching = asyncio.create_task(reachability.watch())
    await asyncio.sleep(0.1)
    watching.cancel()
    assert await get(application, "/health/ready") == (
        200,
        {"status": "ready", "cache": "reachable", "database": "unreachable"},
    )
    shutdown.announced.set()
    assert (await get(application, "/health/ready"))[0] == 503
    assert await get(application, "/health/live") == (200, {"status": "live"})
    # Each change is told once, however often it is checked; health checks are not in the log.
    states = [json.loads(line)["state"] for line in output.getvalue().splitlines()]
    assert sorted(states) == ["reachable", "unreachable"]


@pytest.mark.anyio
async def test_a_service_that_is_silent_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LIMIT_SECONDS", 0.05)
    reachability = Reachability(silent, silent, StructuredLog(io.BytesIO(), "info"))
    watching = asyncio.create_task(reachability.watch())
    await asyncio.sleep(0.2)
    watching.cancel()
    assert reachability.states == {"cache": "unreachable", "database": "unreachable"}


@pytest.mark.parametrize(("answer", "alive"), [(b"HTTP/1.1 200 OK", True), (b"HTTP/1.1 503 Away", False)])
def test_the_containers_check(answer: bytes, alive: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                assert connection.recv(1024).startswith(b"GET /health/live ")
                connection.sendall(answer + b"\r\ncontent-length: 0\r\n\r\n")

        thread = threading.Thread(target=serve)
        thread.start()
        assert is_alive(listener.getsockname()[1]) is alive
        thread.join()


def test_the_containers_check_fails_when_nobody_listens() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = str(bound.getsockname()[1])
        command = [sys.executable, "-m", "gateway.healthcheck"]
        assert subprocess.run(command, env={"GATEWAY_PORT": port}, check=False).returncode == 1


def test_the_containers_check_imports_next_to_nothing() -> None:
    command = [sys.executable, "-X", "importtime", "-m", "gateway.healthcheck"]
    result = subprocess.run(command, env={"GATEWAY_PORT": "1"}, capture_output=True, text=True, check=False)
    for heavy in ("pydantic", "asyncio", "http.client", "gateway.settings"):
        assert f" {heavy}\n" not in result.stderr
