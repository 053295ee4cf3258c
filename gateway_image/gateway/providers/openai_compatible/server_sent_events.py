"""Cuts a stream of server-sent events into its events."""

# Whole responses travel in one event at the end of a stream of OpenAI's Responses API.
_MOST_EVENT_BYTES = 32 * 1024 * 1024


class EventStreamTooLongError(ValueError):
    """An event does not end: what arrives is no stream of events."""


class EventSplitter:
    """Turns the bytes of a stream, cut anywhere, into events without the blank lines that end them."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, chunk: bytes) -> list[bytes]:
        """The events that this chunk completes; raises EventStreamTooLongError."""
        data = self._rest + chunk
        if b"\r" in data:
            data = data.replace(b"\r\n", b"\n")
        events = data.split(b"\n\n")
        self._rest = events.pop()
        if len(self._rest) > _MOST_EVENT_BYTES:
            raise EventStreamTooLongError(f"an event is longer than {_MOST_EVENT_BYTES} bytes")
        return events

    def flush(self) -> list[bytes]:
        """The event that the end of the stream completes: a server may leave out the last blank line."""
        rest, self._rest = self._rest.strip(), b""
        return [rest] if rest else []


def event_data(event: bytes) -> bytes:
    """The data of an event; none for a comment."""
    if event.startswith(b"data:") and b"\n" not in event:
        return event[5:].strip()
    lines = (line[5:].strip() for line in event.split(b"\n") if line.startswith(b"data:"))
    return b"\n".join(lines)
