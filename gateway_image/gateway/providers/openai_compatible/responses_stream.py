"""A streamed answer of OpenAI's Responses API."""

from typing import Any

import msgspec
from msgspec import Raw, Struct

from gateway.errors import GatewayError
from gateway.providers.openai_compatible.errors import error_in_stream
from gateway.providers.openai_compatible.event_relay import EventRelay
from gateway.providers.openai_compatible.usage import read_usage

_BEFORE_CONTENT = frozenset({"response.created", "response.queued", "response.in_progress"})
_ENDS = frozenset({"response.completed", "response.incomplete"})
_DELTA = ".delta"


class _Response(Struct):
    model: str | None = None
    usage: Any = None
    error: Any = None


class _Event(Struct):
    type: str = ""
    response: _Response | None = None
    delta: Raw = Raw()
    error: Any = None


_decode = msgspec.json.Decoder(_Event).decode


class ResponsesStream(EventRelay):
    """Passes events on until the response has come to its end."""

    def _read(self, data: bytes) -> bool:
        event = _decode(data)
        kind = event.type
        if event.response is not None:
            self._read_response(data, event.response)
        if kind in {"error", "response.failed"} or (not kind and event.error is not None):
            self.error = _error(event, data)
            return False
        if kind.endswith(_DELTA):
            # Mostly a text, between two quotes.
            self.characters += max(0, len(bytes(event.delta)) - 2)
        self.content_begun = self.content_begun or kind not in _BEFORE_CONTENT
        self.complete = kind in _ENDS
        return True

    def _read_response(self, data: bytes, response: _Response) -> None:
        if self._providers_model_field is None and response.model:
            self._learn_model(data, response.model)
        self.usage = read_usage(response.usage) or self.usage

    def _end_without_mark(self) -> bytes | None:
        return None


def _error(event: _Event, data: bytes) -> GatewayError:
    if event.response is not None and event.response.error is not None:
        return error_in_stream(msgspec.json.encode(event.response.error))
    return error_in_stream(data)
