"""A streamed chat completion as the events of a streamed Response."""

from typing import Any

import msgspec

from gateway.errors import GatewayError, provider_error
from gateway.openai.responses_items import CallOutput, MessageOutput, Output, ReasoningOutput
from gateway.openai.responses_object import (
    Completion,
    FunctionCall,
    Message,
    ResponseObject,
    Status,
    ToolCall,
    final_status,
)
from gateway.openai.responses_types import ResponsesRequest
from gateway.providers import Usage
from gateway.providers.interface import StreamTranslation

_decode = msgspec.json.Decoder(Completion).decode
_encode = msgspec.json.Encoder().encode


class EventWriter:
    """Writes server-sent events, numbered from 0."""

    def __init__(self) -> None:
        self._next = 0

    def __call__(self, kind: str, **fields: Any) -> bytes:
        """One event of a kind."""
        event = {"type": kind, "sequence_number": self._next, **fields}
        self._next += 1
        return b"event: %b\ndata: %b\n\n" % (kind.encode(), _encode(event))


class ResponseStream:
    """The translation of one streamed chat completion, a StreamTranslation around the provider's own."""

    def __init__(self, chat: StreamTranslation, request: ResponsesRequest, model: str) -> None:
        self.usage: Usage | None = None
        self.characters = 0
        self.content_begun = False
        self.complete = False
        self.error: GatewayError | None = None
        self._chat = chat
        self._response = ResponseObject(request, model)
        self._write = EventWriter()
        self._unread = b""
        self._begun = False
        self._finish_reason: str | None = None
        self._outputs: list[Output] = []
        self._reasoning: ReasoningOutput | None = None
        self._message: MessageOutput | None = None
        self._calls: dict[int, CallOutput] = {}

    def feed(self, chunk: bytes) -> bytes:
        """The events for the next bytes of the response, cut anywhere; none after the end."""
        return self._translate(self._chat.feed(chunk))

    def finish(self) -> bytes:
        """The events that are due when the response has ended; sets error if it ended too early."""
        return self._translate(self._chat.finish())

    def _translate(self, chunks: bytes) -> bytes:
        if self.complete or self.error is not None:
            return b""
        *lines, self._unread = (self._unread + chunks).split(b"\n")
        events: list[bytes] = []
        try:
            for line in lines:
                data = line.removeprefix(b"data:").strip()
                if len(data) < len(line) and data != b"[DONE]":
                    events.append(self._chunk(_decode(data)))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            message = "The model's provider sent a stream that cannot be read."
            self.error = provider_error(message, code="upstream_invalid_response", detail=str(error))
        chat = self._chat
        self.usage, self.characters, self.content_begun = chat.usage, chat.characters, chat.content_begun
        self.error = self.error or chat.error
        if self.error is None and chat.complete:
            self.complete = True
            events.append(self._completed())
        return b"".join(events)

    def _chunk(self, chunk: Completion) -> bytes:
        events: list[bytes] = []
        if not self._begun:
            self._begun = True
            response = self._response.as_of("in_progress", [])
            events.append(self._write("response.created", response=response))
            events.append(self._write("response.in_progress", response=response))
        self._response.usage = chunk.usage or self._response.usage
        self._response.service_tier = chunk.service_tier or self._response.service_tier
        for choice in chunk.choices:
            if choice.delta is not None:
                events.append(self._delta(choice.delta))
            self._finish_reason = choice.finish_reason or self._finish_reason
        return b"".join(events)

    def _delta(self, delta: Message) -> bytes:
        events = b""
        if delta.reasoning_content or delta.thinking_blocks:
            if self._reasoning is None:
                reasoning = ReasoningOutput(self._write, len(self._outputs))
                events += self._begin(reasoning)
                self._reasoning = reasoning
            events += self._reasoning.add(delta.reasoning_content or "", delta.thinking_blocks or [])
        if delta.content or delta.refusal:
            if self._message is None:
                message = MessageOutput(self._write, len(self._outputs))
                events += self._begin(message)
                self._message = message
            events += self._message.add(delta.content or "", delta.refusal or "")
        for call in delta.tool_calls or ():
            events += self._call(call)
        return events

    def _call(self, call: ToolCall) -> bytes:
        function = call.function or FunctionCall()
        events = b""
        output = self._calls.get(call.index)
        if output is None:
            output = CallOutput(self._write, len(self._outputs), call.id or "", function.name or "")
            self._calls[call.index] = output
            events = self._begin(output)
        return events + output.add(function.arguments) if function.arguments else events

    def _begin(self, output: Output) -> bytes:
        events = self._end_text("completed")
        self._outputs.append(output)
        return events + output.open()

    def _end_text(self, status: Status) -> bytes:
        """End the reasoning or the message that goes on, which is the last item."""
        ended = self._reasoning or self._message
        self._reasoning = self._message = None
        return ended.close(status) if ended is not None else b""

    def _completed(self) -> bytes:
        events = b""
        if not self._outputs:
            self._message = MessageOutput(self._write, 0)
            self._outputs.append(self._message)
            events = self._message.open() + self._message.add("", "")
        status = final_status(self._finish_reason)
        events += self._end_text(status)
        # Calls may go on beside one another, so they end here.
        for call in self._calls.values():
            events += call.close(status if call is self._outputs[-1] else "completed")
        output = [output.item() for output in self._outputs]
        response = self._response.as_of(status, output, finish_reason=self._finish_reason)
        return events + self._write(f"response.{response['status']}", response=response)
