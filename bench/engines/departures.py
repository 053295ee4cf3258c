"""What HTTP clients do with a call whose caller left: `python -m bench.engines.departures`.

A cancelled call must close its connection at once: a provider generates, and charges, while it is open.
"""

import asyncio
import os
import sys
import time
from pathlib import Path

from bench.engines import environment
from bench.engines.clients import CLIENTS, Client
from bench.processes import REPOSITORY

_LIMIT_SECONDS = 3
_FIRST_EVENT = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\ndata:\r\n"


class _Provider:
    """Answers with nothing, or with one event, and notes when the connection closes."""

    def __init__(self, first_bytes: bytes) -> None:
        self.first_bytes = first_bytes
        self.called = asyncio.Event()
        self.left = asyncio.Event()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writer = writer
        await reader.readuntil(b"\r\n\r\n")
        writer.write(self.first_bytes)
        self.called.set()
        try:
            while await reader.read(1024):
                pass
        except ConnectionResetError:
            pass
        self.left.set()
        writer.close()


async def _read_all(client: Client, url: str) -> None:
    async for _ in client.stream(url, b"{}"):
        pass


async def _seconds_until_closed(name: str, first_bytes: bytes) -> float | None:
    provider = _Provider(first_bytes)
    server = await asyncio.start_server(provider.serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    async with CLIENTS[name]() as client:
        call = asyncio.create_task(_read_all(client, url))
        await provider.called.wait()
        await asyncio.sleep(0.2)  # the first bytes are on their way
        call.cancel()
        started = time.monotonic()
        try:
            await asyncio.wait_for(provider.left.wait(), _LIMIT_SECONDS)
        except TimeoutError:
            return None
        finally:
            server.close()
            provider.writer.close()
        return time.monotonic() - started


async def main() -> None:
    """Print a table."""
    print("| client | closed after, before headers | closed after, in mid-stream |\n|---|---|---|")
    for name in CLIENTS:
        seconds = [await _seconds_until_closed(name, first_bytes) for first_bytes in (b"", _FIRST_EVENT)]
        cells = [f"not within {_LIMIT_SECONDS} s" if s is None else f"{1000 * s:.0f} ms" for s in seconds]
        print(f"| {name} | {' | '.join(cells)} |")


if __name__ == "__main__":
    interpreter = environment.python()
    if Path(sys.prefix) != Path(interpreter).parents[1]:
        os.environ["PYTHONPATH"] = str(REPOSITORY)
        os.execv(interpreter, [interpreter, "-m", "bench.engines.departures"])
    asyncio.run(main())
