"""Load on a candidate: whole answers by wrk, streams by a small client that counts each event."""

import asyncio
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import median

from bench.mock_answers import CHUNKS
from bench.processes import LOAD_CORE

_ANSWER_SECONDS = 30
# On a busy machine a gateway may turn a few away, as it should.
_FAILURES_ALLOWED = 0.01
# An event of some gateways is several times the provider's.
_STREAM_BYTES = 2**20


@dataclass(frozen=True, kw_only=True)
class Target:
    """Where a candidate takes chat completions on 127.0.0.1, and how it wants to be asked."""

    port: int
    path: str = "/v1/chat/completions"
    model: str = "bench"
    headers: Mapping[str, str] = field(default_factory=dict)

    def body(self, *, stream: bool, prompt: str = "") -> str:
        """A chat request of about 0.5 KB; `prompt` ends it."""
        messages = [
            {"role": "system", "content": "You answer in one short paragraph. " * 4},
            {"role": "user", "content": "What does a gateway for language models do? " * 5 + prompt},
        ]
        return json.dumps({"model": self.model, "messages": messages, "max_tokens": 256, "stream": stream})


@dataclass(frozen=True)
class Requests:
    """What wrk saw."""

    completed: int
    per_second: float
    p50_ms: float
    p99_ms: float


@dataclass(frozen=True)
class Streams:
    """What the stream client saw."""

    completed: int
    median_first_event_ms: float


def require_wrk() -> None:
    """End this program with the fix when wrk or taskset is missing."""
    for program, package in (("wrk", "wrk"), ("taskset", "util-linux")):
        if shutil.which(program) is None:
            sys.exit(f"{program} is not installed; on Debian: apt-get install {package}")


def send_requests(
    target: Target, *, connections: int, seconds: int, prompt: str = "", core: int | None = LOAD_CORE
) -> Requests:
    """Keep so many requests in flight; RuntimeError when more than a few were refused or lost."""
    headers = {"content-type": "application/json", **target.headers}
    script = [
        'wrk.method = "POST"',
        f"wrk.body = {json.dumps(target.body(stream=False, prompt=prompt))}",
        *(f"wrk.headers[{json.dumps(name)}] = {json.dumps(value)}" for name, value in headers.items()),
        _REPORT,
    ]
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        file.write("\n".join(script))
        file.flush()
        url = f"http://127.0.0.1:{target.port}{target.path}"
        wrk = ["wrk", "--threads=1", f"--connections={connections}", f"--duration={seconds}s"]
        pinned = [] if core is None else ["taskset", "-c", str(core)]
        command = [*pinned, *wrk, f"--timeout={_ANSWER_SECONDS}s", "--script", file.name, url]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    report = json.loads(output.splitlines()[-1])
    if not report["completed"]:
        raise RuntimeError(f"{url} answered nothing within {seconds} s")
    if report["failed"] > _FAILURES_ALLOWED * report["completed"]:
        raise RuntimeError(f"{report['failed']} of {report['completed']} requests failed at {url}")
    return Requests(
        completed=report["completed"],
        per_second=report["completed"] / report["duration_us"] * 1e6,
        p50_ms=report["p50_us"] / 1000,
        p99_ms=report["p99_us"] / 1000,
    )


_REPORT = """
done = function(summary, latency, requests)
  local errors = summary.errors
  local failed = errors.status + errors.connect + errors.read + errors.write + errors.timeout
  io.write(string.format('{"completed": %d, "failed": %d, "duration_us": %d, "p50_us": %d, "p99_us": %d}',
    summary.requests, failed, summary.duration, latency:percentile(50), latency:percentile(99)))
end
"""


def read_streams(target: Target, *, concurrent: int, seconds: float, prompt: str = "") -> Streams:
    """Read streams for so long, one after the other on each connection; those begun are read to their end.

    RuntimeError when one is not whole.
    """
    request = _request(target, target.body(stream=True, prompt=prompt))
    return asyncio.run(_read_streams(target, request, concurrent, seconds))


def _request(target: Target, body: str) -> bytes:
    headers = {
        "host": "bench",
        "content-type": "application/json",
        "content-length": str(len(body)),
        **target.headers,
    }
    lines = [f"POST {target.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


async def _read_streams(target: Target, request: bytes, concurrent: int, seconds: float) -> Streams:
    until = time.monotonic() + seconds
    in_turn = (_read_in_turn(target.port, request, until) for _ in range(concurrent))
    first_events = [each for turn in await asyncio.gather(*in_turn) for each in turn]
    return Streams(len(first_events), 1000 * median(first_events))


async def _read_in_turn(port: int, request: bytes, until: float) -> list[float]:
    """Seconds to the first event of each stream."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=_STREAM_BYTES)
    first_events = []
    try:
        while time.monotonic() < until:
            writer.write(request)
            first_events.append(await asyncio.wait_for(_read_stream(reader), _ANSWER_SECONDS))
    finally:
        writer.close()
    return first_events


async def _read_stream(reader: asyncio.StreamReader) -> float:
    began = time.monotonic()
    head = await reader.readuntil(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"a stream began with {head.splitlines()[0].decode()!r}")
    await reader.readuntil(b"data: ")
    first_event = time.monotonic() - began
    rest = await reader.readuntil(b"0\r\n\r\n")
    events = 1 + rest.count(b"data: {")
    if events < CHUNKS or b"[DONE]" not in rest:
        raise RuntimeError(f"a stream brought {events} of {CHUNKS} events")
    return first_event
