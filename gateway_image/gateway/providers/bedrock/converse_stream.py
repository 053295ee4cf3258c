"""ConverseStream's events as the server-sent events of a streamed OpenAI chat completion."""

import msgspec
from msgspec import Struct

from gateway.errors import GatewayError, provider_error
from gateway.openai.chat_completion import completion_usage
from gateway.providers import Usage
from gateway.providers.bedrock.converse_errors import error_from_exception
from gateway.providers.bedrock.converse_response import TokenUsage, finish_reason
from gateway.providers.bedrock.event_stream import EventMessage, EventStreamDecoder, EventStreamError

_DONE = b"data: [DONE]\n\n"


class _ToolUseStart(Struct, rename="camel"):
    tool_use_id: str
    name: str


class _Start(Struct, rename="camel"):
    tool_use: _ToolUseStart | None = None


class _ContentBlockStart(Struct, rename="camel"):
    start: _Start
    content_block_index: int


class _ToolUseDelta(Struct):
    input: str


class _ReasoningDelta(Struct):
    text: str | None = None


class _Delta(Struct, rename="camel"):
    text: str | None = None
    tool_use: _ToolUseDelta | None = None
    reasoning_content: _ReasoningDelta | None = None


class _ContentBlockDelta(Struct, rename="camel"):
    delta: _Delta
    content_block_index: int


class _ContentBlockStop(Struct, rename="camel"):
    content_block_index: int


class _MessageStop(Struct, rename="camel"):
    stop_reason: str


class _Metadata(Struct):
    usage: TokenUsage


class _Exception(Struct):
    message: str = ""


_encode = msgspec.json.Encoder().encode
_decode_start = msgspec.json.Decoder(_ContentBlockStart).decode
_decode_delta = msgspec.json.Decoder(_ContentBlockDelta).decode
_decode_block_stop = msgspec.json.Decoder(_ContentBlockStop).decode
_decode_stop = msgspec.json.Decoder(_MessageStop).decode
_decode_metadata = msgspec.json.Decoder(_Metadata).decode
_decode_exception = msgspec.json.Decoder(_Exception).decode


class ChatCompletionStream:
    """The translation of one ConverseStream response, piece by piece.

    usage: the tokens of the request, None until Bedrock has told them, which it does last.
    complete: whether the answer came to its proper end.
    error: what ended it otherwise.

    created is in Unix seconds, model is the name the caller used, include_usage is the caller's
    stream_options.include_usage.
    """

    def __init__(self, *, completion_id: str, created: int, model: str, include_usage: bool) -> None:
        self.usage: Usage | None = None
        self.complete = False
        self.error: GatewayError | None = None
        self._include_usage = include_usage
        head = {"id": completion_id, "object": "chat.completion.chunk", "created": created, "model": model}
        self._head = b"data: " + _encode(head)[:-1] + b',"choices":['
        self._tail = b',"usage":null}\n\n' if include_usage else b"}\n\n"
        self._decoder = EventStreamDecoder()
        self._answering = False
        self._stopped = False
        self._malformed: GatewayError | None = None
        self._tool_calls: dict[int, int] = {}
        self._calls_without_input: set[int] = set()

    def feed(self, chunk: bytes) -> bytes:
        """The events for the next bytes of the response, cut anywhere; none after the end.

        As long as nothing was returned, an error is raised, as a GatewayError, so that it can still
        be answered with a status. Later the same error is returned as the last event.
        """
        if self.complete or self.error is not None:
            return b""
        events = bytearray()
        try:
            for message in self._decoder.feed(chunk):
                events += self._translate(message)
        except GatewayError as error:
            return self._failed(events, error)
        except EventStreamError as error:
            return self._failed(events, _unreadable(str(error)))
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            return self._failed(events, _unreadable(f"an event's payload: {error}"))
        return self._emit(events)

    def finish(self) -> bytes:
        """The events that end the stream when the response has ended: none if it had a proper end.

        Raises GatewayError if nothing was returned before.
        """
        if self.complete or self.error is not None:
            return b""
        if self._malformed is not None:
            return self._failed(b"", self._malformed)
        if not self._stopped:
            message = "The connection to the model broke before its answer was complete; try again."
            return self._failed(b"", provider_error(message, code="upstream_connection_lost"))
        # The answer is whole, though Bedrock did not get to tell its tokens.
        self.complete = True
        return _DONE

    def _emit(self, events: bytes | bytearray) -> bytes:
        self._answering = self._answering or bool(events)
        return bytes(events)

    def _failed(self, events: bytes | bytearray, error: GatewayError) -> bytes:
        self.error = error
        output = self._emit(events)
        if not self._answering:
            raise error
        return output + b"data: " + error.body() + b"\n\n"

    def _translate(self, message: EventMessage) -> bytes:
        if self.complete:
            return b""
        headers, payload = message
        message_type = headers.get(":message-type")
        if message_type == "event":
            return self._translate_event(headers.get(":event-type", ""), payload)
        if message_type == "exception":
            raise error_from_exception(headers.get(":exception-type", ""), _decode_exception(payload).message)
        if message_type == "error":
            raise error_from_exception(headers.get(":error-code", ""), headers.get(":error-message", ""))
        raise _unreadable(f"a message of type {message_type!r}")

    def _translate_event(self, event_type: str, payload: bytes) -> bytes:
        match event_type:
            case "contentBlockDelta":
                return self._block_delta(_decode_delta(payload))
            case "contentBlockStart":
                return self._block_start(_decode_start(payload))
            case "contentBlockStop":
                return self._block_stop(_decode_block_stop(payload).content_block_index)
            case "messageStart":
                return self._chunk(b'{"role":"assistant","content":"","refusal":null}')
            case "messageStop":
                return self._message_stop(_decode_stop(payload).stop_reason)
            case "metadata":
                return self._metadata(_decode_metadata(payload).usage)
            case _:
                # Kinds of events that are added later do not concern this translation.
                return b""

    def _block_start(self, event: _ContentBlockStart) -> bytes:
        tool_use = event.start.tool_use
        if tool_use is None:
            return b""
        index = self._tool_calls[event.content_block_index] = len(self._tool_calls)
        self._calls_without_input.add(event.content_block_index)
        function = {"name": tool_use.name, "arguments": ""}
        call = {"index": index, "id": tool_use.tool_use_id, "type": "function", "function": function}
        return self._chunk(b'{"tool_calls":[' + _encode(call) + b"]}")

    def _block_delta(self, event: _ContentBlockDelta) -> bytes:
        delta = event.delta
        if delta.text is not None:
            return self._chunk(b'{"content":' + _encode(delta.text) + b"}") if delta.text else b""
        if delta.tool_use is not None:
            return self._arguments(event.content_block_index, delta.tool_use.input)
        if delta.reasoning_content is not None and delta.reasoning_content.text:
            return self._chunk(b'{"reasoning_content":' + _encode(delta.reasoning_content.text) + b"}")
        return b""

    def _arguments(self, block_index: int, text: str) -> bytes:
        if block_index not in self._tool_calls:
            raise _unreadable("input for a tool call that did not begin")
        if not text:
            return b""
        self._calls_without_input.discard(block_index)
        call = {"index": self._tool_calls[block_index], "function": {"arguments": text}}
        return self._chunk(b'{"tool_calls":[' + _encode(call) + b"]}")

    def _block_stop(self, block_index: int) -> bytes:
        # A call without arguments streams no input, but callers parse the arguments as JSON.
        return self._arguments(block_index, "{}") if block_index in self._calls_without_input else b""

    def _message_stop(self, stop_reason: str) -> bytes:
        self._stopped = True
        try:
            reason = finish_reason(stop_reason)
        except GatewayError as error:
            # Told at the end: the usage is still to come.
            self._malformed = error
            return b""
        return self._chunk(b"{}", finish=_encode(reason))

    def _metadata(self, usage: TokenUsage) -> bytes:
        self.usage = usage.usage()
        if self._malformed is not None:
            raise self._malformed
        if not self._stopped:
            return b""
        self.complete = True
        if not self._include_usage:
            return _DONE
        return self._head + b'],"usage":' + _encode(completion_usage(self.usage)) + b"}\n\n" + _DONE

    def _chunk(self, delta: bytes, *, finish: bytes = b"null") -> bytes:
        choice = b'{"index":0,"delta":%b,"logprobs":null,"finish_reason":%b}' % (delta, finish)
        return self._head + choice + b"]" + self._tail


def _unreadable(detail: str) -> GatewayError:
    message = "The model's provider sent a stream that cannot be read."
    return provider_error(message, code="upstream_invalid_response", detail=detail)
