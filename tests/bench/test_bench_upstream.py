"""What the mock provider sends is what the gateway's own readers take, or it would measure failures."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from bench import mock_answers
from bench.load import Target, read_streams
from bench.mock_answers import CHUNKS, TEXT
from bench.mock_upstream import PACED, SECONDS_BETWEEN_CHUNKS, SLOW_SECONDS, SLOWLY, Upstream


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@asynccontextmanager
async def _provider() -> AsyncIterator[Target]:
    answers = mock_answers.openai()
    server = await asyncio.get_running_loop().create_server(lambda: Upstream(answers), "127.0.0.1", 0)
    async with server:
        yield Target(port=server.sockets[0].getsockname()[1])


async def _answer(target: Target, body: str) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", target.port)
    head = f"POST {target.path} HTTP/1.1\r\ncontent-length: {len(body)}\r\n\r\n"
    # In two pieces, as some clients send it.
    writer.write(head.encode())
    await writer.drain()
    await asyncio.sleep(0.01)
    writer.write(body.encode())
    answer_head = await reader.readuntil(b"\r\n\r\n")
    answer = await reader.readexactly(int(answer_head.rpartition(b"content-length: ")[2].strip()))
    writer.close()
    return answer


@pytest.mark.anyio
async def test_a_whole_answer_is_a_chat_completion_of_about_1200_bytes() -> None:
    async with _provider() as target:
        answer = await _answer(target, target.body(stream=False))
    assert 1100 < len(answer) < 1300
    completion = json.loads(answer)
    assert TEXT in completion["choices"][0]["message"]["content"]
    assert completion["usage"]["total_tokens"] == 320


@pytest.mark.anyio
async def test_it_is_slow_when_the_prompt_says_so() -> None:
    loop = asyncio.get_running_loop()
    async with _provider() as target:
        began = loop.time()
        await _answer(target, target.body(stream=False, prompt=SLOWLY))
        assert loop.time() - began >= SLOW_SECONDS


@pytest.mark.anyio
async def test_a_paced_stream_takes_as_long_as_its_chunks() -> None:
    async with _provider() as target:
        began = asyncio.get_running_loop().time()
        streams = await asyncio.to_thread(read_streams, target, concurrent=2, seconds=0.01, prompt=PACED)
        seconds = asyncio.get_running_loop().time() - began
    assert streams.completed == 2
    assert seconds >= CHUNKS * SECONDS_BETWEEN_CHUNKS


@pytest.mark.anyio
async def test_a_stream_that_is_refused_is_an_error_of_the_measurement() -> None:
    async def refuse(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    async with server:
        target = Target(port=server.sockets[0].getsockname()[1])
        with pytest.raises(RuntimeError, match="503"):
            await asyncio.to_thread(read_streams, target, concurrent=1, seconds=0.01)
