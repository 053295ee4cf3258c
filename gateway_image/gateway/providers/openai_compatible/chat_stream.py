"""A streamed chat completion of an OpenAI-compatible provider."""

from typing import Any

import msgspec
from msgspec import Raw, Struct

from gateway.openai.chat_completion import DONE
from gateway.providers.openai_compatible.errors import error_in_stream
from gateway.providers.openai_compatible.event_relay import EventRelay
from gateway.providers.openai_compatible.usage import read_usage

_END_MARK = b"[DONE]"
_NOTHING_SAID = frozenset({b"null", b'""', b"[]", b"{}"})


class _Choice(Struct):
    finish_reason: str | None = None


# What may be of any form is not held to one: an answer is good without its usage.
class _Chunk(Struct):
    choices: list[_Choice] = []
    usage: Any = None
    error: Any = None


class _FirstChoice(Struct):
    delta: dict[str, Raw] | None = None


class _FirstChunk(Struct):
    model: str | None = None
    object: str | None = None
    choices: list[_FirstChoice] = []


_decode = msgspec.json.Decoder(_Chunk).decode
_decode_first = msgspec.json.Decoder(_FirstChunk).decode


class ChatStream(EventRelay):
    """Passes chunks on; include_usage is whether the caller wants the usage, which is always asked for."""

    def __init__(self, *, model: str, include_usage: bool) -> None:
        super().__init__(model)
        self._include_usage = include_usage
        # The size of a chunk that says nothing, to tell what the others say by their size.
        self._envelope_bytes: int | None = None
        self._finished = False

    def _read(self, data: bytes) -> bool:
        if data == _END_MARK:
            self.complete = True
            return True
        chunk = _decode(data)
        if chunk.usage is not None:
            self.usage = read_usage(chunk.usage) or self.usage
        if chunk.error is not None:
            self.error = error_in_stream(data)
            return False
        if chunk.choices:
            if self._envelope_bytes is None:
                self._envelope_bytes = len(data)
            if not self.content_begun:
                self._look_for_content(data)
            self.characters += max(0, len(data) - self._envelope_bytes)
            self._finished = chunk.choices[0].finish_reason is not None
        elif chunk.usage is None and _decode_first(data).object == "error":
            self.error = error_in_stream(data)
            return False
        if chunk.usage is None:
            return True
        return self._include_usage or bool(chunk.choices)

    def _look_for_content(self, data: bytes) -> None:
        chunk = _decode_first(data)
        if chunk.model:
            self._learn_model(data, chunk.model)
        self.content_begun = any(_says_something(choice) for choice in chunk.choices)

    def _end_without_mark(self) -> bytes | None:
        # Some providers leave the mark out.
        return DONE if self._finished else None


def _says_something(choice: _FirstChoice) -> bool:
    delta = choice.delta or {}
    return any(name != "role" and bytes(value) not in _NOTHING_SAID for name, value in delta.items())
