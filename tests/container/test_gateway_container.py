"""The image at work: read-only, without privileges, in front of the Bedrock simulator."""

import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

LARGEST_MEMORY_BYTES = 100e6
QUESTION: Any = [{"role": "user", "content": "Say a few words about gateways."}]


def test_it_answers_a_chat_request(container: Any) -> None:
    with container.client() as client:
        completion = client.chat.completions.create(model="nova", messages=QUESTION)
    assert completion.choices[0].message.content
    assert completion.usage is not None
    assert completion.usage.completion_tokens > 0


def test_it_streams(container: Any) -> None:
    with container.client() as client:
        chunks = list(client.chat.completions.create(model="nova", messages=QUESTION, stream=True))
    assert sum(bool(chunk.choices and chunk.choices[0].delta.content) for chunk in chunks) > 1


def test_it_becomes_healthy_by_its_own_check(container: Any) -> None:
    deadline = time.monotonic() + 30
    while (state := container.inspect("{{.State.Health.Status}}")) == "starting":
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert state == "healthy", container.inspect("{{json .State.Health.Log}}")


def test_it_has_no_privileges(container: Any) -> None:
    lines = Path("/proc", container.inspect("{{.State.Pid}}"), "status").read_text().splitlines()
    status = {name: value.split() for name, _, value in (line.partition(":") for line in lines)}
    assert status["Uid"] == ["10001"] * 4
    assert status["Gid"] == ["10001"] * 4
    assert int(status["CapEff"][0], 16) == 0
    assert status["NoNewPrivs"] == ["1"]


def test_it_needs_no_writable_file_system(container: Any) -> None:
    for folder in ("/", "/tmp", "/opt/gateway"):
        write = f"open('{folder}/probe', 'w')"
        attempt = container.docker.attempt("exec", container.name, "python", "-c", write)
        assert "Read-only file system" in attempt.stderr


def test_it_uses_little_memory(container: Any) -> None:
    lines = Path("/proc", container.inspect("{{.State.Pid}}"), "smaps_rollup").read_text().splitlines()
    resident_kib = next(int(line.split()[1]) for line in lines if line.startswith("Rss:"))
    assert resident_kib * 1024 <= LARGEST_MEMORY_BYTES


def test_a_stop_lets_a_running_stream_finish(start_container: Any) -> None:
    container = start_container()
    with container.client() as client:
        stream = iter(client.chat.completions.create(model="nova", messages=QUESTION, stream=True))
        chunks = [next(stream)]
        container.docker.run("kill", "--signal=SIGTERM", container.name)
        chunks += stream
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert container.docker.run("wait", container.name) == "0"
    with pytest.raises(urllib.error.URLError, match="refused"):
        urllib.request.urlopen(f"{container.url}/health/live", timeout=1)
