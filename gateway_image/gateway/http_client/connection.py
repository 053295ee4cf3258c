"""One HTTP/1.1 connection of the client: a request at a time, the response parsed as it arrives."""

import asyncio
import math
from collections.abc import Callable, Mapping
from typing import cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from gateway.http_client.errors import HttpError, HttpTimeoutError

_HEAD_LIMIT_BYTES = 64 * 1024
# Received and not yet read; beyond it the peer has to wait.
_BUFFER_BYTES = 256 * 1024
# For a body that is read at once: more than the embeddings that one request may ask of any provider.
_WHOLE_BODY_BYTES = 256 * 1024 * 1024


class Connection(asyncio.Protocol):
    """The client's end of a connection.

    status and headers (lower-case names) are those of the response to the latest request.
    """

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        # Whether anything at all has come back for the latest request.
        self.answering = False
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._parser = HttpResponseParser(self)
        self._waiter: asyncio.Future[None] | None = None
        self._wake_for_body = True
        self._relay_to: Callable[[bytes], bool] | None = None
        self._head_complete = False
        self._complete = True
        self._kept_alive = True
        self._error: HttpError | None = None
        self._head_bytes = 0
        self._chunks: list[bytes] = []
        self._buffered = 0
        self._paused = False
        # The limit is kept by one timer, set anew when it has fired or would fire too late: a timer for each
        # chunk would cost more than the chunk.
        self._limit_seconds = math.inf
        self._limit_began = 0.0
        self._limit_is_per_wait = False
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = math.inf

    # --- the request -----------------------------------------------------------------------------

    def send(self, head: bytes, body: bytes, *, stream: bool) -> None:
        """Send a request; the response before it must be complete, and what was not read of it is dropped.

        stream says whether the response will be read piece by piece.
        """
        self.status, self.headers, self.answering = 0, {}, False
        self._chunks, self._buffered = [], 0
        self._parser = HttpResponseParser(self)
        self._head_complete = self._complete = False
        self._head_bytes = 0
        self._wake_for_body = stream
        if self._transport is not None and self._error is None:
            self._transport.writelines((head, body) if body else (head,))

    def limit(self, seconds: float, *, per_wait: bool) -> None:
        """From now on let reading raise HttpTimeoutError: after so long, or when one wait takes so long."""
        now = self._loop.time()
        self._limit_seconds, self._limit_began, self._limit_is_per_wait = seconds, now, per_wait
        if now + seconds < self._timer_at:
            self._stop_timer()
            self._start_timer(seconds)

    async def wait_for_head(self) -> None:
        """Return once status and headers are there; raises HttpError."""
        while not self._head_complete:
            await self._wait()

    async def wait_for_end(self) -> None:
        """Return once the whole response is there; raises HttpError."""
        while not self._complete:
            await self._wait()

    async def read_chunk(self) -> bytes:
        """Return what has arrived of the body, b"" at its end; raises HttpError if it is cut short."""
        while not self._chunks and not self._complete:
            await self._wait()
        return self._take()

    async def relay(self, take: Callable[[bytes], bool]) -> bool:
        """Hand each piece of the body to `take` at the moment it arrives, without waking anyone.

        Returns True when `take` wants no more for now, which it says with False, and False at the body's end.
        `take` must not raise. Raises HttpError if the body is cut short.
        """
        self._relay_to = take
        try:
            if self._chunks and not take(self._take()):
                return True
            while self._relay_to is not None and not self._complete:
                await self._wait()
            return self._relay_to is None
        finally:
            self._relay_to = None

    async def read_all(self) -> bytes:
        """Return the rest of the body; raises HttpError if it is cut short."""
        self._wake_for_body = False
        self._resume()
        while not self._complete:
            await self._wait()
        return self._take()

    @property
    def reusable(self) -> bool:
        """Whether another request can be sent: the response is complete and the peer keeps the connection."""
        transport = self._transport
        return (
            self._complete
            and self._error is None
            and transport is not None
            and not transport.is_closing()
            # A peer that answered before it had read everything will not understand what comes next.
            and not transport.get_write_buffer_size()
            and self._kept_alive
        )

    def rest(self) -> None:
        """Lift the limit: nothing is expected until the next request."""
        self._limit_seconds = math.inf

    def close(self) -> None:
        """Drop the connection at once, whatever is under way."""
        self._stop_timer()
        if self._transport is not None:
            self._transport.abort()

    def _wait(self) -> asyncio.Future[None]:
        """What to await until something has come; raises HttpError."""
        if self._limit_is_per_wait:
            self._limit_began = self._loop.time()
        if self._timer is None:
            self._check_limit()
        if self._error is not None:
            raise self._error
        self._waiter = self._loop.create_future()
        return self._waiter

    def _start_timer(self, seconds: float) -> None:
        if seconds != math.inf:
            self._timer = self._loop.call_later(seconds, self._limit_passed)
            self._timer_at = self._loop.time() + seconds

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer, self._timer_at = None, math.inf

    def _limit_passed(self) -> None:
        self._timer, self._timer_at = None, math.inf
        # If nobody waits, it is the reader that takes its time, perhaps to get to what has arrived: its next
        # wait looks again.
        if self._waiter is not None and not self._waiter.done():
            self._check_limit()

    def _check_limit(self) -> None:
        left = self._limit_began + self._limit_seconds - self._loop.time()
        if left <= 0:
            self._fail(HttpTimeoutError(f"nothing within {self._limit_seconds:.3g} s"))
        else:
            self._start_timer(left)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _fail(self, error: HttpError) -> None:
        if self._error is None:
            self._error = error
        self._wake()
        self.close()

    def _take(self) -> bytes:
        chunks = self._chunks
        body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        self._chunks, self._buffered = [], 0
        self._resume()
        return body

    def _resume(self) -> None:
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()

    # --- asyncio.Protocol ------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the transport."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Parse what arrived; a peer that sends what it was not asked for is dropped."""
        if self._complete:
            self._fail(HttpError("the peer sent more than it was asked for"))
            return
        self.answering = True
        if not self._head_complete:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            self._hand_over()
            self._fail(HttpError(f"the peer does not speak HTTP/1.1: {error}"))
            return
        if self._relay_to is not None:
            self._hand_over()
        elif not self._head_complete and self._head_bytes > _HEAD_LIMIT_BYTES:
            self._fail(HttpError(f"the response's headers are larger than {_HEAD_LIMIT_BYTES} bytes"))
        elif self._buffered > _BUFFER_BYTES and not self._complete:
            self._bound_buffer()

    def _hand_over(self) -> None:
        chunks, take = self._chunks, self._relay_to
        if take is None or not chunks:
            return
        self._chunks = []
        if self._limit_is_per_wait:
            self._limit_began = self._loop.time()
        if not take(chunks[0] if len(chunks) == 1 else b"".join(chunks)):
            self._relay_to = None
            self._wake()

    def _bound_buffer(self) -> None:
        if not self._wake_for_body:
            if self._buffered > _WHOLE_BODY_BYTES:
                self._fail(HttpError(f"the response is larger than {_WHOLE_BODY_BYTES} bytes"))
        elif self._transport is not None:
            self._paused = True
            self._transport.pause_reading()

    def connection_lost(self, error: Exception | None) -> None:
        """End a body that lasts until the connection closes; anything else was cut short."""
        if self._error is None:
            self._error = HttpError(f"the peer closed the connection{f': {error}' if error else ''}")
            if self._head_complete and error is None and self._until_close():
                self._complete = True
        self._wake()

    def _until_close(self) -> bool:
        return "content-length" not in self.headers and "transfer-encoding" not in self.headers

    # --- httptools' callbacks --------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """Refuse a response that nothing asked for."""
        if self._complete:
            raise HttpError("the peer sent more than it was asked for")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header, not a trailer: that may come after somebody has read the headers."""
        if self._head_complete:
            return
        key, text = name.decode("latin-1").lower(), value.decode("latin-1")
        self.headers[key] = f"{self.headers[key]}, {text}" if key in self.headers else text

    def on_headers_complete(self) -> None:
        """Take the status, unless it announces another response."""
        status = self._parser.get_status_code()
        if status >= 200:
            self.status, self._head_complete = status, True
            if self._wake_for_body:
                self._wake()

    def on_body(self, data: bytes) -> None:
        """Keep a piece of the body."""
        self._chunks.append(data)
        if self._relay_to is None:
            self._buffered += len(data)
            if self._wake_for_body:
                self._wake()

    def on_message_complete(self) -> None:
        """Know the end, or forget an informational response (1xx)."""
        if self._head_complete:
            self._complete = True
            # Known only now: the parser forgets it with the next message.
            self._kept_alive = self._parser.should_keep_alive()
            self._wake()
        else:
            self.headers = {}


def request_head(method: str, target: str, host: str, headers: Mapping[str, str], length: int) -> bytes:
    """The head of a request, as bytes.

    Raises HttpError for a header that would break out of its line: nothing of a caller's may forge a header.
    """
    lines = [f"{method} {target} HTTP/1.1", f"host: {host}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if length or method == "POST":
        lines.append(f"content-length: {length}")
    head = "\r\n".join(lines) + "\r\n\r\n"
    if head.count("\n") != len(lines) + 1 or head.count("\r") != len(lines) + 1:
        raise HttpError("a header of the request holds a line break")
    try:
        return head.encode("latin-1")
    except UnicodeEncodeError:
        raise HttpError("a header of the request holds a character outside Latin-1") from None
