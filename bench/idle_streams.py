"""Many streams that are open and silent: what each costs, and whether new requests notice them.

`python -m bench.idle_streams [--streams 10000]`. The provider begins each answer and then says no more.
"""

import argparse
import asyncio
import json
import resource
import sys
import tempfile
import time
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median, quantiles
from subprocess import Popen

from bench.processes import REPOSITORY, cpu_seconds, free_port, memory_mb, running, wait_until_listening
from gateway.settings import variable

STREAMS = 10_000
_PROBES = 100
_IDLE_SECONDS = 3
# One for the caller and one for the provider, and some to spare.
_FILES_PER_STREAM = 2
_SPARE_FILES = 500
# So many at a time: more would overflow the queue of connections to be accepted.
_OPENING = 100
_KEY = "key-of-the-benchmark-0123456789abcdef"
_CHUNK = {"id": "c", "object": "chat.completion.chunk", "created": 0, "model": "idle"}
_FIRST_EVENT = {**_CHUNK, "choices": [{"index": 0, "delta": {"role": "assistant", "content": "So"}}]}


@dataclass(frozen=True, slots=True)
class Result:
    """Figures of one gateway process; requests take no provider."""

    streams: int
    memory_kb_per_stream: float
    idle_cpu_percent: float
    request_ms_before: float
    request_ms_among: float
    request_ms_among_p99: float


async def provide(port: int) -> None:
    """Be the provider until killed."""
    event = f"data: {json.dumps(_FIRST_EVENT)}\n\n".encode()
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A connection may also be given up before it has been used.
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(head + b"%x\r\n%b\r\n" % (len(event), event))
            await reader.read()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", port, backlog=2048)
    await server.serve_forever()


async def measure(gateway: Popen[bytes], port: int, streams: int) -> Result:
    """Open the streams, wait, and close them; RuntimeError if one is not answered."""
    before = await _request_ms(port)
    memory = memory_mb(gateway)
    open_streams: list[asyncio.StreamWriter] = []
    for start in range(0, streams, _OPENING):
        count = min(_OPENING, streams - start)
        open_streams += await asyncio.gather(*(_open_stream(port) for _ in range(count)))
    used = memory_mb(gateway) - memory
    cpu, began = cpu_seconds(gateway), time.perf_counter()
    await asyncio.sleep(_IDLE_SECONDS)
    idle_cpu = (cpu_seconds(gateway) - cpu) / (time.perf_counter() - began)
    among = await _request_ms(port)
    for writer in open_streams:
        writer.close()
    return Result(
        streams=streams,
        memory_kb_per_stream=1000 * used / streams,
        idle_cpu_percent=100 * idle_cpu,
        request_ms_before=median(before),
        request_ms_among=median(among),
        request_ms_among_p99=quantiles(among, n=100)[-1],
    )


async def _open_stream(port: int) -> asyncio.StreamWriter:
    body = {"model": "idle", "stream": True, "messages": [{"role": "user", "content": "hello"}]}
    # The little that is read has been read by then.
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=4096)
    writer.write(_post("/v1/chat/completions", json.dumps(body).encode()))
    head = await reader.readuntil(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"the gateway answered {(head + await reader.read(500)).decode()}")
    await reader.readuntil(b"So")
    return writer


async def _request_ms(port: int) -> list[float]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    milliseconds = []
    for _ in range(_PROBES):
        began = time.perf_counter()
        # A request without a model is read, understood and refused.
        writer.write(_post("/v1/chat/completions", b"{}"))
        head = await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0]))
        milliseconds.append(1000 * (time.perf_counter() - began))
        await asyncio.sleep(0.01)
    writer.close()
    return milliseconds


def _post(path: str, body: bytes) -> bytes:
    head = (
        f"POST {path} HTTP/1.1\r\nhost: bench\r\nauthorization: Bearer {_KEY}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def run(streams: int) -> Result:
    """Measure with processes of its own; RuntimeError if the system allows too few open files."""
    _allow_files(_FILES_PER_STREAM * streams + _SPARE_FILES)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        provider_port, port = free_port(), free_port()
        provider_command = [sys.executable, "-m", "bench.idle_streams", "--provide", str(provider_port)]
        provider = stack.enter_context(running(provider_command, core=None))
        wait_until_listening(provider, provider_port)
        gateway = stack.enter_context(
            running(
                [sys.executable, "-m", "gateway"],
                core=None,
                environment=_environment(folder, port, provider_port, streams),
                quiet=True,
            )
        )
        wait_until_listening(gateway, port)
        return asyncio.run(measure(gateway, port, streams))


def _environment(folder: Path, port: int, provider_port: int, streams: int) -> dict[str, str]:
    deployment = {
        "name": "idle",
        "provider": "openai_compatible",
        "base_url": f"http://127.0.0.1:{provider_port}",
        "model": "idle",
        "time_limits": {"between_chunks_seconds": 900},
    }
    model = {"name": "idle", "max_output_tokens": 100, "deployments": [deployment]}
    catalog = folder / "models.json"
    catalog.write_text(json.dumps({"models": [model]}))
    settings = {
        "environment": "bench",
        "region": "us-east-1",
        "models_source": catalog.as_uri(),
        # They all come at once, as callers do only when they are too many.
        "api_keys": json.dumps({"bench": {"key": _KEY, "priority": "high"}}),
        "cache_host": "127.0.0.1",
        "cache_port": "1",
        "cache_username": "bench",
        "cache_password": "none",
        "database_host": "127.0.0.1",
        "database_port": "1",
        "database_name": "bench",
        "database_username": "bench",
        "database_password": "none",
        "key_hashing_secret": "hashing-secret-of-the-bench-0123456789",
        "host": "127.0.0.1",
        "port": str(port),
        "metrics_port": str(free_port()),
        "max_concurrent_requests": str(2 * streams),
        "lame_duck_seconds": "0",
        "drain_seconds": "0",
    }
    credentials = {"AWS_ACCESS_KEY_ID": "AKIDBENCH", "AWS_SECRET_ACCESS_KEY": "none"}
    return {"PYTHONPATH": str(REPOSITORY)} | credentials | {variable(n): v for n, v in settings.items()}


def _allow_files(count: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= count:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, max(count, hard)))
    except (ValueError, OSError) as error:
        raise RuntimeError(f"{count} open files are needed and {hard} allowed: raise `ulimit -Hn`") from error


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.idle_streams", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--streams", type=int, default=STREAMS)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument("--provide", type=int, metavar="PORT", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.provide:
        asyncio.run(provide(arguments.provide))
        return
    result = run(arguments.streams)
    if arguments.json:
        print(json.dumps(asdict(result)))
        return
    print(f"{result.streams} idle streams")
    print(f"memory per stream          {result.memory_kb_per_stream:7.1f} kB")
    print(f"CPU while idle             {result.idle_cpu_percent:7.1f} %")
    print(f"request before, median     {result.request_ms_before:7.2f} ms")
    print(f"request among, median      {result.request_ms_among:7.2f} ms")
    print(f"request among, p99         {result.request_ms_among_p99:7.2f} ms")


if __name__ == "__main__":
    main()
