"""A provider that costs next to nothing: `python -m bench.mock_upstream PORT openai|converse`.

It answers every POST. What else it does is asked for in the prompt, which every gateway passes on: SLOWLY
answers 50 ms later, PACED sends each chunk of a stream 5 ms after the one before.
"""

import asyncio
import sys
from typing import cast

from bench import mock_answers
from bench.mock_answers import CHUNKS, Answers

SLOWLY = "[slowly]"
PACED = "[paced]"
SLOW_SECONDS = 0.05
SECONDS_BETWEEN_CHUNKS = 0.005


class Upstream(asyncio.Protocol):
    """One connection; requests come one after the other and carry a content-length."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self._received = b""
        self._later: asyncio.Task[None] | asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def connection_lost(self, _error: Exception | None) -> None:
        if self._later is not None:
            self._later.cancel()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, separator, body = self._received.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
        if not separator or len(body) < length:
            return
        self._received = b""
        loop = asyncio.get_running_loop()
        if b"/converse-stream " in head or b'"stream":true' in body or b'"stream": true' in body:
            self._later = loop.create_task(self._send_stream(paced=PACED.encode() in body))
        elif SLOWLY.encode() in body:
            self._later = loop.call_later(SLOW_SECONDS, self._transport.write, self._answers.whole)
        else:
            self._transport.write(self._answers.whole)

    async def _send_stream(self, *, paced: bool) -> None:
        self._transport.write(self._answers.stream_head)
        for _ in range(CHUNKS):
            if paced:
                await asyncio.sleep(SECONDS_BETWEEN_CHUNKS)
            self._transport.write(self._answers.chunk)
        self._transport.write(self._answers.end)


async def serve(port: int, answers: Answers) -> None:
    """Serve until killed."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Upstream(answers), "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    import uvloop

    api = {"openai": mock_answers.openai, "converse": mock_answers.converse}[sys.argv[2]]
    uvloop.run(serve(int(sys.argv[1]), api()))
