"""The output items of a streamed Response, and the events that build them."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from gateway.openai.chat_types import RedactedThinkingBlock, ThinkingBlock
from gateway.openai.responses_object import (
    Status,
    function_call_item,
    message_item,
    new_id,
    reasoning_item,
    refusal_part,
    summary_part,
    text_part,
)

Json = dict[str, Any]
Write = Callable[..., bytes]


class Output(ABC):
    """An item that grows; index is its place in the output. `write` writes one event."""

    def __init__(self, write: Write, index: int, kind: str) -> None:
        self._write = write
        self._index = index
        self._status: Status = "in_progress"
        self.id = new_id(kind)

    @abstractmethod
    def item(self) -> Json:
        """The item as it stands."""

    @abstractmethod
    def close(self, status: Status) -> bytes:
        """The events that end it: completed, or incomplete if the answer was cut short there."""

    def open(self) -> bytes:
        """The event that begins it."""
        return self._write("response.output_item.added", output_index=self._index, item=self.item())

    def _done(self, status: Status) -> bytes:
        self._status = status
        return self._write("response.output_item.done", output_index=self._index, item=self.item())

    def _event(self, kind: str, **fields: Any) -> bytes:
        return self._write(kind, item_id=self.id, output_index=self._index, **fields)


class ReasoningOutput(Output):
    """The model's reasoning, told as the one part of a summary."""

    def __init__(self, write: Write, index: int) -> None:
        super().__init__(write, index, "rs")
        self._texts: list[str] = []
        self._thinking: list[ThinkingBlock | RedactedThinkingBlock] = []

    def item(self) -> Json:
        """The item as it stands."""
        return reasoning_item(self.id, "".join(self._texts), self._thinking)

    def add(self, text: str, thinking: list[ThinkingBlock | RedactedThinkingBlock]) -> bytes:
        """The events for more text; thinking holds blocks as the model takes them back."""
        self._thinking += thinking
        if not text:
            return b""
        events = b""
        if not self._texts:
            events = self._part("response.reasoning_summary_part.added", part=summary_part(""))
        self._texts.append(text)
        return events + self._part("response.reasoning_summary_text.delta", delta=text)

    def close(self, status: Status) -> bytes:
        """The events that end it."""
        events = b""
        if self._texts:
            text = "".join(self._texts)
            events = self._part("response.reasoning_summary_text.done", text=text)
            events += self._part("response.reasoning_summary_part.done", part=summary_part(text))
        return events + self._done(status)

    def _part(self, kind: str, **fields: Any) -> bytes:
        return self._event(kind, summary_index=0, **fields)


class MessageOutput(Output):
    """What the model says: text, a refusal, or one after the other."""

    def __init__(self, write: Write, index: int) -> None:
        super().__init__(write, index, "msg")
        self._parts: list[Json] = []
        self._texts: list[str] = []
        self._refuses = False

    def item(self) -> Json:
        """The item as it stands."""
        open_part = [self._open_part()] if self._texts else []
        return message_item(self.id, [*self._parts, *open_part], self._status)

    def add(self, text: str, refusal: str) -> bytes:
        """The events for more text, more of a refusal, or both."""
        events = b""
        if text or not refusal:
            events += self._begin_part(refuses=False)
            self._texts.append(text)
            events += self._part("response.output_text.delta", delta=text, logprobs=[])
        if refusal:
            events += self._begin_part(refuses=True)
            self._texts.append(refusal)
            events += self._part("response.refusal.delta", delta=refusal)
        return events

    def close(self, status: Status) -> bytes:
        """The events that end it."""
        return self._end_part() + self._done(status)

    def _begin_part(self, *, refuses: bool) -> bytes:
        if self._texts and refuses == self._refuses:
            return b""
        events = self._end_part()
        self._refuses = refuses
        return events + self._part("response.content_part.added", part=self._open_part())

    def _end_part(self) -> bytes:
        if not self._texts:
            return b""
        part = self._open_part()
        if self._refuses:
            events = self._part("response.refusal.done", refusal=part["refusal"])
        else:
            events = self._part("response.output_text.done", text=part["text"], logprobs=[])
        events += self._part("response.content_part.done", part=part)
        self._parts.append(part)
        self._texts = []
        return events

    def _open_part(self) -> Json:
        text = "".join(self._texts)
        return refusal_part(text) if self._refuses else text_part(text)

    def _part(self, kind: str, **fields: Any) -> bytes:
        return self._event(kind, content_index=len(self._parts), **fields)


class CallOutput(Output):
    """A call of a function."""

    def __init__(self, write: Write, index: int, call_id: str, name: str) -> None:
        super().__init__(write, index, "fc")
        self._call_id = call_id
        self._name = name
        self._arguments: list[str] = []

    def item(self) -> Json:
        """The item as it stands."""
        arguments = "".join(self._arguments)
        return function_call_item(self.id, self._call_id, self._name, arguments, self._status)

    def add(self, arguments: str) -> bytes:
        """The event for more of the arguments."""
        self._arguments.append(arguments)
        return self._event("response.function_call_arguments.delta", delta=arguments)

    def close(self, status: Status) -> bytes:
        """The events that end it."""
        arguments = "".join(self._arguments)
        done = self._event("response.function_call_arguments.done", arguments=arguments, name=self._name)
        return done + self._done(status)
