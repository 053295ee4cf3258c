"""What one gateway process costs: `python -m bench.gateway [--json]`.

Linux with two cores: the gateway has core 0; the load and the Bedrock simulator, which checks nothing here,
share core 1. CPU is the gateway's user and system time, so it holds on a busy machine; the seconds do not.
Neither a cache nor a database is there.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from subprocess import Popen

from bench.processes import CANDIDATE_CORE, LOAD_CORE, cpu_seconds, free_port, memory_mb, pin, running
from gateway.settings import variable
from local.bedrock_simulator import process as simulator_process

STARTS = 5
ROUNDS = 5
REQUESTS_PER_ROUND = 1000
STREAMS_PER_ROUND = 50
WORDS_PER_STREAM = 100
CONCURRENT = 16
# Without a pace the simulator sends all that is due in one write; with it, each word arrives by itself.
_PACED = "timing: {tokens_per_second: 500}"
_KEY = "key-of-the-benchmark-0123456789abcdef"
_CATALOG = {
    "models": [
        {
            "name": "bench",
            "max_output_tokens": 1000,
            "deployments": [
                {
                    "name": "bench",
                    "provider": "bedrock",
                    "region": "us-east-1",
                    "model_id": "us.amazon.nova-lite-v1:0",
                }
            ],
        }
    ]
}


@dataclass(frozen=True)
class Result:
    """Medians over the starts and rounds."""

    start_to_ready_seconds: float
    cpu_ms_per_request: float
    cpu_ms_per_stream: float
    memory_mb: float


@contextmanager
def _gateway(upstream: str) -> Iterator[tuple[Popen[bytes], int]]:
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        catalog = Path(folder, "models.json")
        catalog.write_text(json.dumps(_CATALOG))
        settings = {
            "environment": "bench",
            "region": "us-east-1",
            "models_source": catalog.as_uri(),
            "api_keys": json.dumps({"bench": _KEY}),
            "cache_host": "127.0.0.1",
            "cache_port": "1",
            "cache_tls": "false",
            "cache_username": "bench",
            "cache_password": "none",
            "database_host": "127.0.0.1",
            "database_port": "1",
            "database_tls": "false",
            "database_name": "bench",
            "database_username": "bench",
            "database_password": "none",
            "host": "127.0.0.1",
            "port": str(port),
            "bedrock_endpoint_url": upstream,
        }
        environment = {variable(field): value for field, value in settings.items()}
        environment |= {"AWS_ACCESS_KEY_ID": "AKIDBENCH", "AWS_SECRET_ACCESS_KEY": "none"}
        command = [sys.executable, "-m", "gateway"]
        with running(command, core=CANDIDATE_CORE, environment=environment, quiet=True) as process:
            yield process, port


def _wait_until_ready(port: int) -> None:
    for _ in range(4000):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/ready", timeout=5):
                return
        except urllib.error.URLError:
            time.sleep(0.005)
    raise RuntimeError("the gateway did not become ready within 20 s")


def _seconds_to_start(upstream: str) -> float:
    started = time.monotonic()
    with _gateway(upstream) as (_, port):
        _wait_until_ready(port)
        return time.monotonic() - started


async def _ask(port: int, *, words: int, stream: bool, times: int) -> None:
    body = json.dumps(
        {
            "model": "bench",
            "messages": [{"role": "user", "content": f"answer with {words} words"}],
            "stream": stream,
        }
    )
    request = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {_KEY}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n{body}"
    ).encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for _ in range(times):
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(f"the gateway answered {head.splitlines()[0]!r}")
        if stream:
            await reader.readuntil(b"0\r\n\r\n")
        else:
            await reader.readexactly(
                int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            )
    writer.close()


def _cpu_ms_each(process: Popen[bytes], port: int, *, words: int, stream: bool, count: int) -> float:
    async def load() -> None:
        each = count // CONCURRENT
        await asyncio.gather(*(_ask(port, words=words, stream=stream, times=each) for _ in range(CONCURRENT)))

    before = cpu_seconds(process)
    asyncio.run(load())
    return 1000 * (cpu_seconds(process) - before) / (count // CONCURRENT * CONCURRENT)


def measure() -> Result:
    """Measure everything once; it takes about half a minute."""
    pin(LOAD_CORE)
    with simulator_process.start(validate=False) as simulator:
        starts = [_seconds_to_start(simulator.url) for _ in range(STARTS)]
        whole, memory = _rounds(simulator.url, words=10, stream=False, count=REQUESTS_PER_ROUND)
    with simulator_process.start(_PACED, validate=False) as simulator:
        streams, _ = _rounds(simulator.url, words=WORDS_PER_STREAM, stream=True, count=STREAMS_PER_ROUND)
    return Result(median(starts), whole, streams, memory)


def _rounds(upstream: str, *, words: int, stream: bool, count: int) -> tuple[float, float]:
    with _gateway(upstream) as (process, port):
        _wait_until_ready(port)
        cpu = [_cpu_ms_each(process, port, words=words, stream=stream, count=count) for _ in range(ROUNDS)]
        return median(cpu), memory_mb(process)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(prog="python -m bench.gateway", description=__doc__.partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    result = measure()
    if arguments.json:
        print(json.dumps(asdict(result)))
        return
    print(f"start to ready            {result.start_to_ready_seconds:6.2f} s")
    print(f"CPU per whole answer      {result.cpu_ms_per_request:6.2f} ms")
    print(f"CPU per {WORDS_PER_STREAM}-word stream   {result.cpu_ms_per_stream:6.2f} ms")
    print(f"memory after the load     {result.memory_mb:6.1f} MB")


if __name__ == "__main__":
    main()
