"""ConverseStream's events as the server-sent events of a streamed OpenAI chat completion."""

import msgspec

from gateway.errors import GatewayError, provider_error
from gateway.openai.chat_completion import DONE, ChunkWriter
from gateway.providers import Usage
from gateway.providers.bedrock.converse_errors import error_from_exception
from gateway.providers.bedrock.converse_events import (
    ContentBlockDelta,
    ContentBlockStart,
    ReasoningDelta,
    decode_block_stop,
    decode_delta,
    decode_exception,
    decode_metadata,
    decode_start,
    decode_stop,
)
from gateway.providers.bedrock.converse_response import finish_reason
from gateway.providers.bedrock.event_stream import EventMessage, EventStreamDecoder, EventStreamError


class ChatCompletionStream:
    """The translation of one ConverseStream response, a StreamTranslation.

    model is the name the caller used, include_usage the caller's stream_options.include_usage.

    characters: those of the text, the reasoning and the tool input so far.
    """

    def __init__(self, *, model: str, include_usage: bool) -> None:
        self.usage: Usage | None = None
        self.content_begun = False
        self.complete = False
        self.error: GatewayError | None = None
        self.characters = 0
        self._include_usage = include_usage
        self._chunks = ChunkWriter(model, include_usage=include_usage)
        self._decoder = EventStreamDecoder()
        self._stopped = False
        self._malformed: GatewayError | None = None
        # The place of each tool call among all, by its content block.
        self._tool_calls: dict[int, int] = {}
        self._calls_without_input: set[int] = set()
        self._thinking: list[str] = []
        self._signature = self._redacted = ""
        self._thinking_blocks = 0

    def feed(self, chunk: bytes) -> bytes:
        """The events for the next bytes of the response, cut anywhere; none after the end."""
        if self.complete or self.error is not None:
            return b""
        events: list[bytes] = []
        try:
            events.extend(map(self._translate, self._decoder.feed(chunk)))
        except GatewayError as error:
            self.error = error
        except EventStreamError as error:
            self.error = _unreadable(str(error))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            self.error = _unreadable(f"an event's payload: {error}")
        return b"".join(events)

    def finish(self) -> bytes:
        """The events that are due when the response has ended; sets error if it ended too early."""
        if self.complete or self.error is not None:
            return b""
        if self._malformed is not None:
            self.error = self._malformed
        elif not self._stopped:
            message = "The connection to the model broke before its answer was complete; try again."
            self.error = provider_error(message, code="upstream_connection_lost")
        else:
            # The answer is whole, though Bedrock did not get to tell its tokens.
            self.complete = True
            return DONE
        return b""

    def _translate(self, message: EventMessage) -> bytes:
        headers, payload = message
        message_type = headers.get(":message-type")
        if self.complete:
            return b""
        if message_type == "event":
            event_type = headers.get(":event-type", "")
            if event_type == "contentBlockDelta":
                return self._block_delta(decode_delta(payload))
            return self._other_event(event_type, payload)
        if message_type == "exception":
            raise error_from_exception(headers.get(":exception-type", ""), decode_exception(payload).message)
        if message_type == "error":
            raise error_from_exception(headers.get(":error-code", ""), headers.get(":error-message", ""))
        raise _unreadable(f"a message of type {message_type!r}")

    def _other_event(self, event_type: str, payload: bytes) -> bytes:
        match event_type:
            case "contentBlockStart":
                return self._block_start(decode_start(payload))
            case "contentBlockStop":
                return self._block_stop(decode_block_stop(payload).content_block_index)
            case "messageStart":
                return self._chunks.role()
            case "messageStop":
                return self._message_stop(decode_stop(payload).stop_reason)
            case "metadata":
                return self._metadata(decode_metadata(payload).usage.usage())
            case _:
                # Kinds of events that are added later do not concern this translation.
                return b""

    def _block_start(self, event: ContentBlockStart) -> bytes:
        tool_use = event.start.tool_use
        if tool_use is None:
            return b""
        self.content_begun = True
        index = self._tool_calls[event.content_block_index] = len(self._tool_calls)
        self._calls_without_input.add(event.content_block_index)
        return self._chunks.tool_call(index, tool_use.tool_use_id, tool_use.name)

    def _block_delta(self, event: ContentBlockDelta) -> bytes:
        delta = event.delta
        if text := delta.text:
            self.content_begun = True
            self.characters += len(text)
            return self._chunks.text(text)
        if delta.tool_use is not None:
            return self._arguments(event.content_block_index, delta.tool_use.input)
        if delta.reasoning_content is not None:
            return self._reasoning(delta.reasoning_content)
        return b""

    def _arguments(self, block_index: int, text: str) -> bytes:
        if block_index not in self._tool_calls:
            raise _unreadable("input for a tool call that did not begin")
        if not text:
            return b""
        self._calls_without_input.discard(block_index)
        self.characters += len(text)
        return self._chunks.arguments(self._tool_calls[block_index], text)

    def _reasoning(self, delta: ReasoningDelta) -> bytes:
        self._signature += delta.signature
        self._redacted += delta.redacted_content
        if not delta.text:
            return b""
        self.content_begun = True
        self.characters += len(delta.text)
        self._thinking.append(delta.text)
        return self._chunks.reasoning(delta.text)

    def _block_stop(self, block_index: int) -> bytes:
        if block_index in self._calls_without_input:
            # A call without arguments streams no input, but callers parse the arguments as JSON.
            return self._arguments(block_index, "{}")
        thinking, signature, redacted = "".join(self._thinking), self._signature, self._redacted
        self._thinking, self._signature, self._redacted = [], "", ""
        if not (signature or redacted):
            return b""
        index, self._thinking_blocks = self._thinking_blocks, self._thinking_blocks + 1
        if redacted:
            return self._chunks.redacted_thinking(index, redacted)
        return self._chunks.thinking(index, thinking, signature)

    def _message_stop(self, stop_reason: str) -> bytes:
        self._stopped = True
        try:
            reason = finish_reason(stop_reason)
        except GatewayError as error:
            # Told at the end: the usage is still to come.
            self._malformed = error
            return b""
        return self._chunks.end(reason)

    def _metadata(self, usage: Usage) -> bytes:
        self.usage = usage
        if self._malformed is not None:
            raise self._malformed
        if not self._stopped:
            return b""
        self.complete = True
        return self._chunks.usage(usage) + DONE if self._include_usage else DONE


def _unreadable(detail: str) -> GatewayError:
    message = "The model's provider sent a stream that cannot be read."
    return provider_error(message, code="upstream_invalid_response", detail=detail)
