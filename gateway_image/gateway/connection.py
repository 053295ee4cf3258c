"""A caller's connection: the limits that the HTTP server library does not set."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import uvicorn
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from gateway.errors import GatewayError
from gateway.request import CLOSED_BECAUSE, CONNECTION


@dataclass(kw_only=True)
class ConnectionRules:
    """What holds for every connection of a server.

    head_seconds: for a request's head, from its first byte; for the first one, from connecting.
    head_bytes: for a request's line and headers.
    write_stall_seconds: how long a caller may leave so much unread that nothing more can be sent.
    close_after_answer: set while the process drains; an answer is then its connection's last.
    """

    head_seconds: float = 20
    head_bytes: int = 64 * 1024
    write_stall_seconds: float = 60
    close_after_answer: bool = False


class ServerConfig(uvicorn.Config):
    """The server's configuration, with the rules for its connections."""

    rules: ConnectionRules


class Connection(HttpToolsProtocol):
    """Closes connections whose requests arrive too slowly or too large, or whose answers nobody reads.

    A connection that has had an answer and is silent is left alone: whoever keeps it for reuse closes it.
    """

    config: ServerConfig
    _in_head = False
    _head_bytes = 0
    _chunk_bytes = 0
    _problem: GatewayError | None = None
    _head_timer: asyncio.TimerHandle | None = None
    _stall_timer: asyncio.TimerHandle | None = None
    _on_loss: Callable[[], None] | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn's
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget what was waited for."""
        self._cancel_head_timer()
        self.resume_writing()
        super().connection_lost(exc)
        # The library leaves this timer running when a connection is reset, and with it all that it holds.
        self._unset_keepalive_if_required()
        if self._on_loss is not None:
            self._on_loss()

    def when_lost(self, act: Callable[[], None]) -> None:
        """Have something done when the connection is lost, at once if it is lost already."""
        self._on_loss = act
        if self.transport.is_closing():
            act()

    def forget(self, act: Callable[[], None]) -> None:
        """Take it back; the connection may already serve another request, which had something else done."""
        if self._on_loss is act:
            self._on_loss = None

    def write_chunk(self, data: bytes) -> None:
        """Send a piece of the answer, which has begun and has no declared length; nothing to one who left."""
        if not self.transport.is_closing():
            self.transport.write(b"%x\r\n%b\r\n" % (len(data), data))

    @property
    def is_stalled(self) -> bool:
        """Whether so much is unread that writing has to wait."""
        return self.flow.write_paused

    def data_received(self, data: bytes) -> None:
        """Read on, and check a head that is still incomplete."""
        self._chunk_bytes = len(data)
        super().data_received(data)
        if not self._in_head:
            return
        self._head_bytes += self._chunk_bytes
        if self._head_bytes > self.config.rules.head_bytes:
            self._refuse(self._head_too_large())
        elif self._head_timer is None:
            self._expect_head()

    def on_message_begin(self) -> None:
        """Note that a head has begun."""
        super().on_message_begin()
        self._in_head = True
        self._head_bytes = 0

    def on_headers_complete(self) -> None:
        """Check the head and start the request."""
        self._in_head = False
        self._cancel_head_timer()
        limit = self.config.rules.head_bytes
        # What has arrived together with the head may be body; only then is it worth counting.
        if self._head_bytes + self._chunk_bytes > limit and self._size_of_head() > limit:
            self._problem = self._head_too_large()
            # The parser turns it into an error of its own, which ends in send_400_response.
            raise self._problem
        super().on_headers_complete()
        self.scope["state"][CONNECTION] = self
        if self.config.rules.close_after_answer:
            self.close_after_answer()

    def close_after_answer(self) -> None:
        """Let the answer that is running, if any, be the connection's last."""
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.keep_alive = False

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not HTTP, in the shape of all errors."""
        self._refuse(self._problem or _refusal(400, f"{msg} Send HTTP/1.1.", "invalid_http"))

    def pause_writing(self) -> None:
        """Begin to wait for the caller to read."""
        super().pause_writing()
        seconds = self.config.rules.write_stall_seconds
        self._stall_timer = self.loop.call_later(seconds, self._close_stalled)

    def resume_writing(self) -> None:
        """Note that the caller reads on."""
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None
        super().resume_writing()

    def _expect_head(self) -> None:
        self._head_timer = self.loop.call_later(self.config.rules.head_seconds, self._head_is_late)

    def _cancel_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_is_late(self) -> None:
        self._head_timer = None
        if not self._in_head:
            self.transport.close()
            return
        seconds = self.config.rules.head_seconds
        message = f"The request's head did not arrive within {seconds:g} s; send it at once."
        self._refuse(_refusal(408, message, "request_timeout"))

    def _head_too_large(self) -> GatewayError:
        limit = self.config.rules.head_bytes
        message = f"The request's line and headers are larger than the limit of {limit} bytes; send less."
        return _refusal(431, message, "request_header_fields_too_large")

    def _size_of_head(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def _refuse(self, error: GatewayError) -> None:
        """Answer without a request, and close."""
        self._in_head = False
        self._cancel_head_timer()
        if self.cycle is not None and not self.cycle.response_complete:
            # Another answer is being written: this one cannot be told apart from it.
            self.transport.abort()
            return
        body = error.body()
        head = b"content-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % len(
            body
        )
        self.transport.write(STATUS_LINE[error.status] + head + body)
        self.transport.close()

    def _close_stalled(self) -> None:
        self._stall_timer = None
        self.cycle.scope["state"][CLOSED_BECAUSE] = "answer_not_read"
        self.transport.abort()


def _refusal(status: int, message: str, code: str) -> GatewayError:
    return GatewayError(status, message, type="invalid_request_error", code=code)
