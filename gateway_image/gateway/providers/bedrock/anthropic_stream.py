"""InvokeModelWithResponseStream's events as the server-sent events of Anthropic's Messages API.

Each chunk of Bedrock's holds one of Anthropic's events as it would be on Anthropic's own wire. Most are
passed on as they stand; only those that name the model or count tokens are looked into.
"""

import msgspec

from gateway.errors import MODEL_FAILED, GatewayError, provider_error
from gateway.providers import Usage
from gateway.providers.bedrock.anthropic_message import (
    NO_USAGE,
    NONE_USED,
    UNREADABLE,
    MessageUsage,
    rename_model,
    unreadable,
)
from gateway.providers.bedrock.converse_errors import error_from_exception
from gateway.providers.bedrock.event_stream import EventMessage, EventStreamDecoder, EventStreamError

_Fields = dict[str, msgspec.Raw]


class _Chunk(msgspec.Struct):
    data: bytes = msgspec.field(name="bytes")


class _Kind(msgspec.Struct):
    type: str


class _ContentBlockStart(msgspec.Struct):
    content_block: _Kind


class _MessageDelta(msgspec.Struct):
    usage: MessageUsage | None = None


class _Failure(msgspec.Struct):
    type: str = ""
    message: str = ""


class _Error(msgspec.Struct):
    error: _Failure


class _Exception(msgspec.Struct):
    message: str = ""


_encode = msgspec.json.Encoder().encode
_decode_chunk = msgspec.json.Decoder(_Chunk).decode
_decode_kind = msgspec.json.Decoder(_Kind).decode
_decode_block_start = msgspec.json.Decoder(_ContentBlockStart).decode
_decode_delta = msgspec.json.Decoder(_MessageDelta).decode
_decode_error = msgspec.json.Decoder(_Error).decode
_decode_exception = msgspec.json.Decoder(_Exception).decode
_decode_fields = msgspec.json.Decoder(_Fields).decode

_BLOCK_DELTA = b'{"type":"content_block_delta",'
# What stands around the model's words in such an event, roughly.
_BLOCK_DELTA_FRAME = len('{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":""}}')
_METRICS = "amazon-bedrock-invocationMetrics"


class MessageStream:
    """The translation of one streamed answer; see StreamTranslation. model is the name the caller used.

    usage counts no output until the model has ended its answer.
    """

    def __init__(self, *, model: str) -> None:
        self.usage: Usage | None = None
        self.characters = 0
        self.content_begun = False
        self.complete = False
        self.error: GatewayError | None = None
        self._model = model
        self._decoder = EventStreamDecoder()

    def feed(self, chunk: bytes) -> bytes:
        """The events for the next bytes of the response, cut anywhere; none after the end."""
        if self.complete or self.error is not None:
            return b""
        events = bytearray()
        try:
            for message in self._decoder.feed(chunk):
                events += self._translate(message)
        except GatewayError as error:
            self.error = error
        except (EventStreamError, *UNREADABLE) as error:
            self.error = unreadable(f"a stream of InvokeModel: {error}")
        return bytes(events)

    def finish(self) -> bytes:
        """Nothing; sets error if the response has ended before the answer did."""
        if not self.complete and self.error is None:
            message = "The connection to the model broke before its answer was complete; try again."
            self.error = provider_error(message, code="upstream_connection_lost")
        return b""

    def _translate(self, message: EventMessage) -> bytes:
        if self.complete:
            return b""
        headers, payload = message
        message_type = headers.get(":message-type")
        if message_type == "event":
            if headers.get(":event-type") != "chunk":
                # Kinds of events that are added later do not concern this translation.
                return b""
            return self._translate_event(_decode_chunk(payload).data)
        if message_type == "exception":
            raise error_from_exception(headers.get(":exception-type", ""), _decode_exception(payload).message)
        if message_type == "error":
            raise error_from_exception(headers.get(":error-code", ""), headers.get(":error-message", ""))
        raise unreadable(f"a message of type {message_type!r}")

    def _translate_event(self, data: bytes) -> bytes:
        if data.startswith(_BLOCK_DELTA):
            self._said(data)
            return b"event: content_block_delta\ndata: %b\n\n" % _on_one_line(data)
        kind = _decode_kind(data).type
        match kind:
            case "content_block_start":
                # The first words of a text follow at once; thinking may stay hidden for minutes.
                self.content_begun |= _decode_block_start(data).content_block.type != "text"
            case "content_block_delta":
                self._said(data)
            case "message_start":
                data = self._message_start(_decode_fields(data))
            case "message_delta":
                self._count(_decode_delta(data).usage)
            case "message_stop":
                self.complete = True
                data = _without_metrics(data)
            case "error":
                raise _failure(_decode_error(data).error)
        return b"event: %b\ndata: %b\n\n" % (_event_name(kind), _on_one_line(data))

    def _said(self, delta: bytes) -> None:
        self.content_begun = True
        self.characters += max(1, len(delta) - _BLOCK_DELTA_FRAME)

    def _message_start(self, event: _Fields) -> bytes:
        # What a guardrail says in the model's place may come without usage.
        told = {"usage": NONE_USED, **_decode_fields(event["message"])}
        message, usage = rename_model(told, self._model)
        # Output is counted at the end; what is told here is a beginning that would pass for the whole.
        self.usage = msgspec.structs.replace(usage, output_tokens=0, reasoning_tokens=0)
        event["message"] = msgspec.Raw(message)
        return _encode(event)

    def _count(self, usage: MessageUsage | None) -> None:
        if usage is not None:
            self.usage = usage.over(self.usage or NO_USAGE)


def _without_metrics(data: bytes) -> bytes:
    event = _decode_fields(data)
    event.pop(_METRICS, None)
    return _encode(event)


def _on_one_line(data: bytes) -> bytes:
    # A line break would end the event's data; in JSON it can only stand between values.
    return msgspec.json.format(data, indent=-1) if b"\n" in data or b"\r" in data else data


def _event_name(kind: str) -> bytes:
    if not kind.isidentifier():
        raise unreadable("an event without a name")
    return kind.encode()


def _failure(failure: _Failure) -> GatewayError:
    """What an error event of Anthropic's means; its words may quote the prompt."""
    if failure.type == "overloaded_error":
        message = "The model has too much to do for the moment; try again."
        return provider_error(message, code="upstream_unavailable", status=503, detail=failure.type)
    return provider_error("The model failed; try again.", code=MODEL_FAILED, detail=failure.type)
