"""Answers on the wire, with the faults that were ordered."""

import asyncio
import socket
import struct
from collections.abc import Callable, Iterator

from aiohttp import web

from local.bedrock_simulator.answers import StreamEvent
from local.bedrock_simulator.compact_json import compact_json
from local.bedrock_simulator.openai_chat import DONE
from local.bedrock_simulator.server_sent_events import encode_event, encode_exception
from local.model_endpoint.api import Answered
from local.model_endpoint.endpoint import Call
from local.model_endpoint.faults import Fault

_GARBAGE = bytes(range(256)) * 2 + b"\n\n"
_MISSING_BYTES = 1000
REQUEST_ID = "x-request-id"

Wrap = Callable[[bytes], bytes]


async def send(
    request: web.Request, call: Call, answered: Answered, fault: Fault, *, content_type: str, wrap: Wrap
) -> web.StreamResponse:
    """Send an answer; streams have the given content type, each piece of them is wrapped."""
    call.status = 200
    if answered.events is not None:
        return await _send_stream(request, call, answered.events, fault, content_type=content_type, wrap=wrap)
    body = compact_json(answered.body).encode()
    if fault.garbage_after_events is not None:
        body = _GARBAGE
    response = web.StreamResponse(headers={REQUEST_ID: f"req_{call.number}"})
    response.content_type = "application/json"
    cut = fault.cut_after_events is not None
    response.content_length = len(body) + (_MISSING_BYTES if cut else 0)
    await response.prepare(request)
    await response.write(body)
    if cut:
        return _reset(request, call)
    call.outcome = "answered"
    await response.write_eof()
    return response


async def _send_stream(
    request: web.Request,
    call: Call,
    events: Iterator[StreamEvent],
    fault: Fault,
    *,
    content_type: str,
    wrap: Wrap,
) -> web.StreamResponse:
    response = web.StreamResponse(headers={REQUEST_ID: f"req_{call.number}"})
    response.content_type = content_type
    await response.prepare(request)
    sent = 0
    for sent, event in enumerate(events):
        if sent == fault.cut_after_events:
            return _reset(request, call)
        if sent == fault.stall_after_events:
            call.outcome = "faulted"
            await asyncio.Event().wait()
        if sent in (fault.garbage_after_events, fault.error_after_events):
            break
        if event.type != DONE or not fault.without_end_mark:
            await _write(response, encode_event(event.type, event.payload), fault, wrap)
            await asyncio.sleep(fault.seconds_between_events)
    if sent == fault.garbage_after_events:
        call.outcome = "faulted"
        await _write(response, _GARBAGE, fault, wrap)
    elif sent == fault.error_after_events:
        call.outcome = "faulted"
        await _write(response, encode_exception("server_error", {"message": "It failed."}), fault, wrap)
    else:
        call.outcome = "answered"
    await response.write_eof()
    return response


async def _write(response: web.StreamResponse, data: bytes, fault: Fault, wrap: Wrap) -> None:
    size = fault.fragment_bytes or len(data)
    for start in range(0, len(data), size):
        await response.write(wrap(data[start : start + size]))


def _reset(request: web.Request, call: Call) -> web.Response:
    """Reset the connection (TCP RST), so that the client sees no orderly end."""
    call.outcome = "faulted"
    if request.transport is not None:
        connection: socket.socket = request.transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        request.transport.abort()
    return web.Response()
