"""Answers on the wire, at the pace of the model and with the faults that were ordered."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Iterable
from types import ModuleType
from typing import Any

from aiohttp import web

from local.bedrock_simulator import event_stream, server_sent_events
from local.bedrock_simulator.call_log import Call
from local.bedrock_simulator.compact_json import compact_json
from local.bedrock_simulator.faults import (
    CorruptChecksum,
    Cut,
    Fault,
    Fragment,
    Garbage,
    Hang,
    StreamError,
    first,
)
from local.bedrock_simulator.simulator import OPENAI_OPERATIONS, Exchange

_GARBAGE = bytes(range(256)) * 2
_BYTES_MISSING_AFTER_CUT = 1000
_INTERRUPTIONS = (Cut, StreamError, Garbage, Hang)


def plain(body: dict[str, Any], call: Call) -> web.Response:
    """A whole JSON answer."""
    call.outcome, call.status = "answered", 200
    headers = {"x-amzn-RequestId": call.request_id}
    return web.Response(body=compact_json(body).encode(), content_type="application/json", headers=headers)


async def send_response(
    request: web.Request, call: Call, exchange: Exchange, faults: Iterable[Fault]
) -> web.StreamResponse:
    """Answer with one JSON body after the time the model needs for it."""
    try:
        if exchange.total_seconds:
            await asyncio.sleep(exchange.total_seconds)
    finally:
        # Unlike a stream, a plain answer is generated to its end even if the client has left.
        exchange.settle(exchange.output_tokens)
        call.output_tokens = exchange.output_tokens
    response = plain(exchange.write_response(), call)
    response.headers.update(_headers(call, exchange))
    if first(faults, Cut):
        return await _cut_in_the_middle(request, call, response)
    if first(faults, Garbage):
        response.body, call.outcome = _GARBAGE, "faulted"
    return response


async def send_stream(
    request: web.Request, call: Call, exchange: Exchange, faults: Iterable[Fault]
) -> web.StreamResponse:
    """Answer with an event stream: the status line comes with the first token, each event when it is due."""
    response = web.StreamResponse(
        headers={"x-amzn-RequestId": call.request_id, "x-simulator-region": exchange.admission.region}
    )
    response.content_type = _wire(call).CONTENT_TYPE
    if call.operation.startswith("Invoke"):
        response.headers["X-Amzn-Bedrock-Content-Type"] = "application/json"
    fragment = first(faults, Fragment)
    try:
        await asyncio.sleep(exchange.first_token_seconds)
        await response.prepare(request)
        call.status = 200
        async for due in _due_bytes(call, exchange, faults):
            if due is None:
                return reset_connection(request, call)
            for piece in _pieces(due, fragment.size_bytes if fragment else len(due)):
                await response.write(piece)
    finally:
        exchange.settle(call.output_tokens)
    if call.outcome == "running":
        call.outcome = "answered"
    # The client sees the end only when quota and log tell of it.
    await response.write_eof()
    return response


async def _due_bytes(call: Call, exchange: Exchange, faults: Iterable[Fault]) -> AsyncIterator[bytes | None]:
    """The stream in pieces of what is due at one time; None: the connection is to be reset."""
    interruption = next((fault for fault in faults if isinstance(fault, _INTERRUPTIONS)), None)
    corrupt = first(faults, CorruptChecksum)
    loop = asyncio.get_running_loop()
    due_at = loop.time()
    due = bytearray()
    wire = _wire(call)
    for sent, event in enumerate(exchange.write_events()):
        if interruption and sent == interruption.after_events:
            break
        if event.tokens and exchange.seconds_per_token:
            yield bytes(due)
            due.clear()
            due_at += event.tokens * exchange.seconds_per_token
            await asyncio.sleep(max(0.0, due_at - loop.time()))
        call.output_tokens += event.tokens
        due += wire.encode_event(event.type, event.payload)
        if corrupt and sent == corrupt.after_events:
            call.outcome = "faulted"
            due[-1] ^= 0xFF
    yield bytes(due)
    if interruption is None:
        return
    call.outcome = "faulted"
    if isinstance(interruption, Hang):
        await asyncio.Event().wait()
    yield _interrupting_frame(interruption, wire)


def _wire(call: Call) -> ModuleType:
    """The module that knows how the operation's streams are written."""
    return server_sent_events if call.operation in OPENAI_OPERATIONS else event_stream


def _interrupting_frame(fault: Fault, wire: ModuleType) -> bytes | None:
    if isinstance(fault, StreamError):
        payload: dict[str, Any] = {"message": fault.message}
        if fault.error == "modelStreamErrorException":
            payload |= {"originalMessage": fault.message, "originalStatusCode": 500}
        frame: bytes = wire.encode_exception(fault.error, payload)
        return frame
    return _GARBAGE if isinstance(fault, Garbage) else None


def _pieces(whole: bytes, size: int) -> Iterable[bytes]:
    return (whole[start : start + size] for start in range(0, len(whole), max(1, size)))


async def _cut_in_the_middle(request: web.Request, call: Call, whole: web.Response) -> web.StreamResponse:
    response = web.StreamResponse(headers=whole.headers)
    response.content_length = _BYTES_MISSING_AFTER_CUT + 1
    await response.prepare(request)
    await response.write(b"{")
    return reset_connection(request, call)


def reset_connection(request: web.Request, call: Call) -> web.Response:
    """Reset the connection (TCP RST), so that the client sees neither an answer nor an orderly end."""
    call.outcome = "faulted"
    if request.transport is not None:
        connection: socket.socket = request.transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        request.transport.abort()
    return web.Response()


def _headers(call: Call, exchange: Exchange) -> dict[str, str]:
    headers = {"x-simulator-region": exchange.admission.region}
    if call.operation.startswith("Invoke"):
        headers |= {
            "X-Amzn-Bedrock-Input-Token-Count": str(exchange.input_tokens),
            "X-Amzn-Bedrock-Output-Token-Count": str(exchange.output_tokens),
            "X-Amzn-Bedrock-Invocation-Latency": str(round(exchange.total_seconds * 1000)),
        }
    return headers
