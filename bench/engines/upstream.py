"""A provider that costs next to nothing: a 1.2 KB answer, or 100 events 5 ms apart. Run with a port."""

import asyncio
import json
import sys
from typing import cast

EVENTS = 100
SECONDS_BETWEEN_EVENTS = 0.005


def _answer() -> bytes:
    body = json.dumps(
        {
            "output": {"message": {"role": "assistant", "content": [{"text": "word " * 200}]}},
            "stopReason": "end_turn",
            "usage": {"inputTokens": 120, "outputTokens": 200, "totalTokens": 320},
            "metrics": {"latencyMs": 1},
        }
    ).encode()
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


def _frame(payload: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(payload), payload)


ANSWER = _answer()
STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
EVENT = _frame(b'data: {"contentBlockDelta":{"contentBlockIndex":0,"delta":{"text":" several words"}}}\n\n')
STREAM_END = b"0\r\n\r\n"


class Upstream(asyncio.Protocol):
    """One connection; requests come one after the other and carry a content-length."""

    def __init__(self) -> None:
        self.received = b""
        self.stream: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def connection_lost(self, _error: Exception | None) -> None:
        if self.stream is not None:
            self.stream.cancel()

    def data_received(self, data: bytes) -> None:
        self.received += data
        head, separator, body = self.received.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
        if not separator or len(body) < length:
            return
        self.received = b""
        if b'"stream":true' in body:
            self.stream = asyncio.get_running_loop().create_task(self._stream())
        else:
            self.transport.write(ANSWER)

    async def _stream(self) -> None:
        self.transport.write(STREAM_HEAD)
        for _ in range(EVENTS):
            await asyncio.sleep(SECONDS_BETWEEN_EVENTS)
            self.transport.write(EVENT)
        self.transport.write(STREAM_END)


async def main(port: int) -> None:
    """Serve until killed."""
    server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    import uvloop

    uvloop.run(main(int(sys.argv[1])))
