"""Starting and stopping a real process."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import openai
import pytest

from local.bedrock_simulator.process import RunningSimulator
from local.bedrock_simulator.replies import Reply

HELLO: Any = [{"role": "user", "content": "hello"}]


def run_until_it_ends(environ: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gateway"]
    return subprocess.run(command, env=dict(environ), capture_output=True, text=True, timeout=20, check=False)


def test_running_requests_finish_after_sigterm(start_gateway: Any, simulator: RunningSimulator) -> None:
    gateway = start_gateway(drain_seconds="10")
    idle = HTTPConnection(gateway.url.removeprefix("http://"), timeout=5)
    idle.request("GET", "/health/live")
    idle.getresponse().read()
    # Answered by two seconds of words, long after the signal.
    simulator.control.add_reply(Reply(words=200))
    with gateway.client() as client, ThreadPoolExecutor(1) as pool:
        whole = pool.submit(client.chat.completions.create, model="claude", messages=HELLO)
        stream = iter(client.chat.completions.create(model="claude", messages=HELLO, stream=True))
        chunks = [next(stream)]
        gateway.terminate()
        time.sleep(0.2)
        with pytest.raises(ConnectionRefusedError):
            gateway.request("GET", "/health/ready")
        assert gateway.process.poll() is None
        chunks.extend(stream)
        text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
        assert len(text.split()) == 200
        assert chunks[-1].choices[0].finish_reason == "stop"
        assert len((whole.result().choices[0].message.content or "").split()) == 200
    assert gateway.process.wait(20) == 0
    events = [line["event"] for line in gateway.log()]
    assert events[-1] == "stopped"
    assert events.index("serving") < events.index("draining") < events.index("request")
    idle.close()


def test_requests_that_outlast_the_drain_time_are_told(
    start_gateway: Any, simulator: RunningSimulator
) -> None:
    gateway = start_gateway(drain_seconds="1")
    simulator.control.add_reply(Reply(words=3000))
    with gateway.client() as client:
        stream = client.chat.completions.create(model="claude", messages=HELLO, stream=True)
        chunks = iter(stream)
        next(chunks)
        started = time.monotonic()
        gateway.terminate()
        with pytest.raises(openai.APIError) as caught:
            list(chunks)
    assert caught.value.code == "stopping"
    assert gateway.process.wait(10) == 0
    # It would have taken half a minute to its end.
    assert 0.9 < time.monotonic() - started < 20


def test_an_idle_gateway_stops_at_once(start_gateway: Any) -> None:
    gateway = start_gateway()
    gateway.terminate()
    assert gateway.process.wait(20) == 0


def test_wrong_settings_end_the_start_with_all_of_them(environ: Mapping[str, str]) -> None:
    broken = {**environ, "GATEWAY_PORT": "0", "GATEWAY_LOG_LEVLE": "info"}
    del broken["GATEWAY_REGION"]
    result = run_until_it_ends(broken)
    assert result.returncode == 2
    for name in ("GATEWAY_PORT", "GATEWAY_LOG_LEVLE", "GATEWAY_REGION"):
        assert f"\n{name}: " in result.stderr
    assert "Traceback" not in result.stderr


def test_a_wrong_catalog_ends_the_start_with_its_problems(environ: Mapping[str, str], tmp_path: Path) -> None:
    catalog = tmp_path / "models.json"
    catalog.write_text(json.dumps({"models": [{"name": "m", "max_output_tokens": 0, "deployments": []}]}))
    result = run_until_it_ends({**environ, "GATEWAY_PORT": "1024", "GATEWAY_MODELS_SOURCE": catalog.as_uri()})
    assert result.returncode == 1
    assert "models.0.max_output_tokens" in result.stderr
    assert "models.0.deployments" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_busy_port_ends_the_start(environ: Mapping[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        result = run_until_it_ends({**environ, "GATEWAY_PORT": str(port)})
    assert result.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use" in result.stderr
    assert "Traceback" not in result.stderr
