"""What streams of OpenAI's APIs have in common on their way through: events are passed on as they came."""

from abc import ABC, abstractmethod

import msgspec

from gateway.errors import GatewayError
from gateway.providers import Usage
from gateway.providers.openai_compatible.errors import connection_lost, unreadable
from gateway.providers.openai_compatible.model_name import find_model_field, model_field
from gateway.providers.openai_compatible.server_sent_events import (
    EventSplitter,
    EventStreamTooLongError,
    event_data,
)


class EventRelay(ABC):
    """A StreamTranslation that looks into each event and passes it on; model is the caller's name for it."""

    def __init__(self, model: str) -> None:
        self.usage: Usage | None = None
        self.characters = 0
        self.content_begun = False
        self.complete = False
        self.error: GatewayError | None = None
        self._splitter = EventSplitter()
        self._model_field = model_field(model)
        self._providers_model_field: bytes | None = None

    def feed(self, chunk: bytes) -> bytes:
        """The caller's events for the next bytes of the response, cut anywhere; none after the end."""
        if self.complete or self.error is not None:
            return b""
        try:
            return self._pass_on(self._splitter.feed(chunk))
        except EventStreamTooLongError as error:
            self.error = unreadable(str(error))
            return b""

    def finish(self) -> bytes:
        """The events that are due when the response has ended; sets error if it ended too early."""
        if self._has_ended():
            return b""
        events = self._pass_on(self._splitter.flush())
        if self._has_ended():
            return events
        end = self._end_without_mark()
        if end is None:
            self.error = connection_lost()
            return events
        self.complete = True
        return events + end

    def _has_ended(self) -> bool:
        return self.complete or self.error is not None

    def _pass_on(self, events: list[bytes]) -> bytes:
        """Learn what the events say; returns those that the caller gets."""
        passed = []
        try:
            for event in events:
                data = event_data(event)
                # One without data is a comment, which keeps connections alive.
                if self._read(data) if data else event.startswith(b":"):
                    passed.append(event)
                if self.complete or self.error is not None:
                    break
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            # The place and the kind of mistake: the text itself is not quoted.
            self.error = unreadable(f"an event of the stream: {type(error).__name__}")
        if not passed:
            return b""
        passed.append(b"")
        output = b"\n\n".join(passed)
        if self._providers_model_field is not None:
            output = output.replace(self._providers_model_field, self._model_field)
        return output

    def _learn_model(self, data: bytes, name: str) -> None:
        self._providers_model_field = find_model_field(data, name)

    @abstractmethod
    def _read(self, data: bytes) -> bool:
        """Learn what an event's data says; returns whether the caller gets it; raises msgspec's errors."""

    @abstractmethod
    def _end_without_mark(self) -> bytes | None:
        """The events that end a stream which stops without the API's own mark; None if it was not whole."""
