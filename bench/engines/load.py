"""Load on a candidate: whole answers by wrk, streams by a small client that counts each event."""

import asyncio
import json
import re
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass
from statistics import median

from bench.engines.application import API_KEY
from bench.engines.upstream import EVENTS
from bench.processes import LOAD_CORE

_PATH = "/v1/chat/completions"


def request_body(*, stream: bool) -> str:
    """A chat request of about 0.5 KB."""
    messages = [
        {"role": "system", "content": "You answer in one short paragraph. " * 4},
        {"role": "user", "content": "What does a gateway in front of several language models do? " * 4},
    ]
    return json.dumps({"model": "bench", "messages": messages, "max_tokens": 256, "stream": stream})


@dataclass(frozen=True)
class Requests:
    """What wrk saw."""

    completed: int
    per_second: float


def send_requests(port: int, *, connections: int, seconds: int) -> Requests:
    """Keep so many requests in flight; RuntimeError when any was refused or lost."""
    script = "\n".join(
        [
            'wrk.method = "POST"',
            f"wrk.body = {json.dumps(request_body(stream=False))}",
            f'wrk.headers["authorization"] = "Bearer {API_KEY}"',
            'wrk.headers["content-type"] = "application/json"',
        ]
    )
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        file.write(script)
        file.flush()
        url = f"http://127.0.0.1:{port}{_PATH}"
        wrk = ["wrk", "--threads=1", f"--connections={connections}", f"--duration={seconds}s"]
        command = ["taskset", "-c", str(LOAD_CORE), *wrk, "--script", file.name, url]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    if "Non-2xx" in output or "Socket errors" in output:
        raise RuntimeError(f"wrk saw errors:\n{output}")
    completed = re.search(r"(\d+) requests in", output)
    per_second = re.search(r"Requests/sec:\s+([\d.]+)", output)
    assert completed is not None, output
    assert per_second is not None, output
    return Requests(int(completed[1]), float(per_second[1]))


@dataclass(frozen=True)
class Streams:
    """What the stream client saw."""

    completed: int
    median_first_event_ms: float


def read_streams(port: int, *, concurrent: int, each: int) -> Streams:
    """Read so many streams, one after the other on each connection; RuntimeError when one is not whole."""
    return asyncio.run(_read_streams(port, concurrent, each))


async def _read_streams(port: int, concurrent: int, each: int) -> Streams:
    first_events = await asyncio.gather(*(_read_in_turn(port, each) for _ in range(concurrent)))
    return Streams(concurrent * each, 1000 * median(s for seconds in first_events for s in seconds))


async def _read_in_turn(port: int, count: int) -> list[float]:
    body = request_body(stream=True).encode()
    head = (
        f"POST {_PATH} HTTP/1.1\r\nhost: bench\r\n"
        f"authorization: Bearer {API_KEY}\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    first_events = []
    for _ in range(count):
        started = time.monotonic()
        writer.write(head.encode() + body)
        await reader.readuntil(b"data: ")
        first_events.append(time.monotonic() - started)
        rest = await reader.readuntil(b"0\r\n\r\n")
        events = 1 + rest.count(b"data: {")
        if events != EVENTS or b"[DONE]" not in rest:
            raise RuntimeError(f"a stream brought {events} of {EVENTS} events")
    writer.close()
    return first_events


def require_wrk() -> None:
    """RuntimeError with the fix when wrk or taskset is missing."""
    for program, package in (("wrk", "wrk"), ("taskset", "util-linux")):
        if shutil.which(program) is None:
            raise RuntimeError(f"{program} is not installed; on Debian: apt-get install {package}")
