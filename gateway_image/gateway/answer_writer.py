"""How an answer is written: its head together with the first of its body, in one system call.

The HTTP server library writes them one after the other and so wakes the caller twice; ASGI lets a server keep
the head until the body begins.
"""

from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from gateway.request import Message

_LENGTH = b"content-length"
# To copy a larger body costs more than to wake the caller twice.
_MOST_JOINED_BYTES = 64 * 1024


class AnswerWriter:
    """Writes the answer to one request; what is unusual about one is left to the library."""

    def __init__(self, cycle: RequestResponseCycle) -> None:
        self._cycle = cycle
        self._start: Message | None = None

    async def send(self, message: Message) -> None:
        """Take the head, or send a piece of the body: ASGI's `send`. Waits while what was sent is unread.

        Raises ValueError for a header that would break out of its line.
        """
        if message["type"] == "http.response.start":
            self._start = message
            return
        if self._cycle.flow.write_paused and not self._cycle.disconnected:
            # The head stays held meanwhile: one who gives up waiting can still send it, with an error.
            await self._cycle.flow.drain()
        start, self._start = self._start, None
        if start is None:
            await self._pass_on(message)
            return
        length = dict(start["headers"]).get(_LENGTH)
        if self._may_join(message, length):
            await self._send_joined(start, message["body"], length)
        else:
            await self._pass_on(start)
            await self._pass_on(message)

    def _may_join(self, message: Message, length: bytes | None) -> bool:
        if self._cycle.disconnected or self._cycle.scope["method"] == "HEAD":
            return False
        # Of an answer in pieces, an empty one would be the end.
        joinable = 0 < len(message.get("body", b"")) <= _MOST_JOINED_BYTES
        return joinable and (length is None) == message.get("more_body", False)

    async def _send_joined(self, start: Message, body: bytes, length: bytes | None) -> None:
        """Without a length, the body is the first of several pieces."""
        cycle = self._cycle
        lines = [b"%b: %b\r\n" % header for header in cycle.default_headers]
        lines += [b"%b: %b\r\n" % header for header in start["headers"]]
        if not cycle.keep_alive:
            lines.append(b"connection: close\r\n")
        if length is None:
            lines.append(b"transfer-encoding: chunked\r\n")
        fields = b"".join(lines)
        if fields.count(b"\n") != len(lines) or fields.count(b"\r") != len(lines):
            raise ValueError("a header of the answer holds a line break")
        head = b"%b%b\r\n" % (STATUS_LINE[start["status"]], fields)
        cycle.response_started, cycle.waiting_for_100_continue = True, False
        cycle.chunked_encoding = length is None
        if length is None:
            cycle.transport.write(b"%b%x\r\n%b\r\n" % (head, len(body), body))
            return
        # To the library the head is the beginning of the body: it checks the length of both, and ends the
        # answer at once, whether it is read or not.
        cycle.expected_content_length = len(head) + int(length)
        await self._pass_on({"type": "http.response.body", "body": head + body})

    async def _pass_on(self, message: Message) -> None:
        await self._cycle.send(cast(Any, message))
