"""A caller's connection: the limits that the HTTP server library does not set."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import uvicorn
from httptools import HttpParserError, HttpParserUpgrade, HttpRequestParser
from uvicorn._types import ASGI3Application, ASGISendCallable
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from gateway.answer_writer import AnswerWriter
from gateway.errors import GatewayError
from gateway.request import CLOSED_BECAUSE, CONNECTION
from gateway.request_head import has_too_many_fields, problem_of_head, without_upgrade


@dataclass(kw_only=True)
class ConnectionRules:
    """What holds for every connection of a server.

    head_seconds: for a request's head, from its first byte; for the first one, from connecting.
    head_bytes: for a request's line and headers, and for what stands between the pieces of its body.
    rest_seconds: for what is left of a request when its answer is complete.
    write_stall_seconds: how long a caller may leave so much unread that nothing more can be sent.
    close_after_answer: set while the process drains; an answer is then its connection's last.
    """

    head_seconds: float = 20
    head_bytes: int = 64 * 1024
    rest_seconds: float = 60
    write_stall_seconds: float = 60
    close_after_answer: bool = False


class ServerConfig(uvicorn.Config):
    """The server's configuration, with the rules for its connections."""

    rules: ConnectionRules


class Connection(HttpToolsProtocol):
    """Closes connections whose requests arrive too slowly or too large, or whose answers nobody reads.

    A request that could be read in two ways is refused, and nothing after it is read.

    A connection that has had an answer and is silent is left alone: whoever keeps it for reuse closes it.
    """

    config: ServerConfig
    _in_head = False
    _in_request = False
    _went_on = False
    # Of a head, or since the last piece of a body.
    _head_bytes = 0
    _chunk_bytes = 0
    _problem: GatewayError | None = None
    _head_timer: asyncio.TimerHandle | None = None
    _stall_timer: asyncio.TimerHandle | None = None
    _rest_timer: asyncio.TimerHandle | None = None
    _on_loss: Callable[[], None] | None = None
    # The library's `cycle` is that of the latest request, which may wait behind the one being answered.
    _answering: RequestResponseCycle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn's
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget what was waited for."""
        self._cancel_head_timer()
        self._cancel_rest_timer()
        self.resume_writing()
        super().connection_lost(exc)
        if self._answering is not None:
            self._answering.disconnected = True
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
        if self._on_loss == act:
            self._on_loss = None

    def write_chunk(self, data: bytes) -> bool:
        """Send a piece of the answer, which has begun and has no declared length; nothing to one who left.

        Returns False when so much is unread that writing has to wait.
        """
        if not self.transport.is_closing():
            self.transport.write(b"%x\r\n%b\r\n" % (len(data), data))
        return not self.flow.write_paused

    @property
    def has_all(self) -> bool:
        """Whether no request is on its way that has not arrived as a whole."""
        return not self._in_request

    def data_received(self, data: bytes) -> None:
        """Read on, and check what is still incomplete."""
        self._unset_keepalive_if_required()
        self._chunk_bytes, self._went_on = len(data), False
        self._parse(data)
        if not self._in_request:
            return
        if self._in_head or not self._went_on:
            self._head_bytes += len(data)
        if self._head_bytes > self.config.rules.head_bytes:
            self._refuse(self._head_too_large())
        elif self._in_head and self._head_timer is None:
            self._expect_head()

    def _parse(self, data: bytes) -> None:
        rest = memoryview(data)
        while True:
            try:
                self.parser.feed_data(rest)
                return
            except HttpParserUpgrade as upgrade:
                # The parser takes what follows for the other protocol's, the body too: so it begins again.
                rest = rest[upgrade.args[0] :]
                self._forget_upgrade()
            except HttpParserError:
                self.send_400_response("The request is not HTTP.")
                return

    def _forget_upgrade(self) -> None:
        version, method = self.parser.get_http_version(), self.parser.get_method()
        self.parser = HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self.parser.feed_data(without_upgrade(version, method, self.url, self.headers))

    def on_message_begin(self) -> None:
        """Note that a head has begun."""
        super().on_message_begin()
        self._in_head = self._in_request = True
        self._head_bytes = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header, not a trailer: what a proxy has checked are the headers."""
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Check the head and start the request."""
        self._cancel_head_timer()
        limit = self.config.rules.head_bytes
        # What has arrived together with the head may be body; only then is it worth counting.
        large = self._head_bytes + self._chunk_bytes > limit and self._size_of_head() > limit
        if large or has_too_many_fields(self.headers):
            self._give_up(self._head_too_large())
        problem = problem_of_head(self.parser.get_http_version(), self.url, self.headers)
        if self.parser.get_method() == b"CONNECT":
            problem = "This is no proxy."
        if problem is not None:
            self._give_up(_refusal(400, f"{problem} Send HTTP/1.1.", "invalid_http"))
        if self.parser.should_upgrade():
            return
        super().on_headers_complete()
        self._in_head, self._went_on, self._head_bytes = False, True, 0
        self.scope["state"][CONNECTION] = self
        if self.config.rules.close_after_answer:
            self.close_after_answer()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._answering, writer = cycle, AnswerWriter(cycle)
        send = cast(ASGISendCallable, writer.send)
        super()._start_asgi_task(cycle, lambda scope, receive, _: app(scope, receive, send))

    def _give_up(self, problem: GatewayError) -> None:
        # The parser turns it into an error of its own, which ends in send_400_response.
        self._problem = problem
        raise problem

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        self._went_on, self._head_bytes = True, 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Note that the request is whole."""
        if self.parser.should_upgrade():
            return
        self._in_request = False
        self._cancel_rest_timer()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Wait for the rest of a request that was answered before it was whole, but not for ever."""
        super().on_response_complete()
        unread = self._in_request and not self._in_head and self.cycle.response_complete
        if unread and not self.transport.is_closing():
            seconds = self.config.rules.rest_seconds
            self._rest_timer = self.loop.call_later(seconds, self.transport.close)

    def _cancel_rest_timer(self) -> None:
        if self._rest_timer is not None:
            self._rest_timer.cancel()
            self._rest_timer = None

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
        """Answer without the application, and close."""
        has_begun = self._in_request and not self._in_head
        self._in_head = self._in_request = False
        self._cancel_head_timer()
        cycle = self.cycle
        if cycle is None or (cycle.response_complete and not has_begun):
            self.logger.warning("A request was refused before it began: %s", error.code)
        else:
            cycle.scope["state"][CLOSED_BECAUSE] = error.code
            if not has_begun or not cycle.more_body or cycle.response_started or self.pipeline:
                # There is another answer: this one could not be told apart from it.
                self.transport.abort()
                return
            cycle.disconnected = True
            cycle.message_event.set()
        body = error.body()
        head = b"content-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n" % len(
            body
        )
        self.transport.write(STATUS_LINE[error.status] + head + body)
        self.transport.close()

    def _close_stalled(self) -> None:
        self._stall_timer = None
        if self._answering is not None:
            self._answering.scope["state"][CLOSED_BECAUSE] = "answer_not_read"
        self.transport.abort()


def _refusal(status: int, message: str, code: str) -> GatewayError:
    return GatewayError(status, message, type="invalid_request_error", code=code)
