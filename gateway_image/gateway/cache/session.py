"""One connection to the cache: commands out, replies in, in the same order."""

import asyncio
from collections import deque
from collections.abc import Callable
from itertools import islice
from typing import Any, cast

from hiredis import ProtocolError, PushNotification, Reader, ReplyError, pack_command

from gateway.cache.errors import CacheError, CacheReplyError, CacheUnavailableError

Word = bytes | str | int
OnMessage = Callable[[bytes, bytes], None]
OnLate = Callable[[Any], None]
# A command that waits for its reply, and what takes a late one.
_Waiting = tuple[asyncio.Future[Any], OnLate | None]

_INCOMPLETE = object()
# A connection that brought no reply from one look to the next, though one was due, hangs; a reply that has
# not come by the second look after its command is overdue. Two looks, because a process that was busy for
# long sees its timers before it sees the replies that came meanwhile.
_LOOK_SECONDS = 0.25
# What the server has not taken yet; more commands would only pile up in memory.
_UNSENT_LIMIT_BYTES = 8 * 1024 * 1024
# The server became a replica, or it lost the scripts: a new connection finds the primary and loads them.
_RECONNECT_CODES = ("READONLY", "NOSCRIPT")


class Session(asyncio.Protocol):
    """A connection that carries the commands of all requests without making one wait for another's reply.

    It ends as a whole: once no reply comes or one makes no sense, the later ones cannot be told apart any
    more, and every command that waits fails with CacheUnavailableError. A single reply that is overdue fails
    its command alone.

    on_message: called with channel and message. ended: why the connection is no more, once it is. Replies
    have to come in time from `watch` on.
    """

    def __init__(self, on_message: OnMessage) -> None:
        self._loop = asyncio.get_running_loop()
        self._on_message = on_message
        self._reader = Reader(notEnoughData=_INCOMPLETE)
        # None stands for a command whose reply nobody reads.
        self._waiting: deque[_Waiting | None] = deque()
        self._replies = 0
        # The number of the reply that was due at the last look.
        self._due: int | None = None
        # How many commands had been sent by the last look, and by the one before it.
        self._sent_before = (0, 0)
        self._writable = False
        self._next_look: asyncio.TimerHandle | None = None
        self.ended: asyncio.Future[str] = self._loop.create_future()

    def send(self, *words: Word, on_late: OnLate | None = None) -> asyncio.Future[Any]:
        """Send a command, once and never again; its reply, or a CacheError, comes with the future.

        on_late: is passed a reply that comes when the future is done, because it took too long or was
        cancelled. Raises CacheUnavailableError if the command cannot be sent now.
        """
        self._write(words)
        reply: asyncio.Future[Any] = self._loop.create_future()
        self._waiting.append((reply, on_late))
        return reply

    def post(self, *words: Word) -> None:
        """Send a command whose reply does not matter; raises CacheUnavailableError as `send` does."""
        self._write(words)
        self._waiting.append(None)

    def watch(self) -> None:
        """Give up a connection that hangs from now on, and commands whose reply is overdue."""
        if not self.ended.done():
            self._next_look = self._loop.call_later(_LOOK_SECONDS, self._look)

    async def finish(self) -> None:
        """Wait until every command has its reply or has failed, then close; send none after this."""
        try:
            while self._waiting:  # noqa: ASYNC110 (replies tell nobody: that would cost each of them)
                await asyncio.sleep(_LOOK_SECONDS)
        finally:
            self.close()

    def close(self) -> None:
        """Send what was posted, then close."""
        self._end("the connection was closed")
        self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the event loop."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=_UNSENT_LIMIT_BYTES)
        self._writable = True

    def connection_lost(self, error: Exception | None) -> None:
        """Called by the event loop."""
        self._end(type(error).__name__ if error else "the cache closed the connection")

    def pause_writing(self) -> None:
        """Called by the event loop when too much waits to be sent."""
        self._writable = False

    def resume_writing(self) -> None:
        """Called by the event loop."""
        self._writable = not self.ended.done()

    def data_received(self, data: bytes) -> None:
        """Called by the event loop."""
        reader = self._reader
        try:
            reader.feed(data)
            while (reply := reader.gets()) is not _INCOMPLETE:
                if type(reply) is PushNotification and reply[0] == b"message":
                    self._on_message(reply[1], reply[2])
                else:
                    self._deliver(reply)
        except (ProtocolError, IndexError):
            self._abort("the cache sent what is no reply")

    def _write(self, words: tuple[Word, ...]) -> None:
        if not self._writable:
            raise CacheUnavailableError("the cache does not take more commands now")
        self._transport.write(pack_command(words))  # type: ignore[arg-type]  # stub: one word

    def _deliver(self, reply: Any) -> None:
        waiting = self._waiting.popleft()
        self._replies += 1
        if isinstance(reply, ReplyError):
            self._deliver_error(waiting, CacheReplyError(str(reply)))
        elif waiting is not None:
            future, on_late = waiting
            if not future.done():
                future.set_result(reply)
            elif on_late is not None:
                on_late(reply)

    def _deliver_error(self, waiting: _Waiting | None, error: CacheReplyError) -> None:
        _fail(waiting, error)
        if str(error).startswith(_RECONNECT_CODES):
            self._abort(str(error))

    def _look(self) -> None:
        if self._due == self._replies:
            self._abort("the cache does not reply")
            return
        self._due = self._replies if self._waiting else None
        overdue, previous = self._sent_before
        for waiting in islice(self._waiting, max(overdue - self._replies, 0)):
            _fail(waiting, CacheUnavailableError("the cache does not reply in time"))
        self._sent_before = previous, self._replies + len(self._waiting)
        self._next_look = self._loop.call_later(_LOOK_SECONDS, self._look)

    def _abort(self, reason: str) -> None:
        self._end(reason)
        self._transport.abort()

    def _end(self, reason: str) -> None:
        if self.ended.done():
            return
        self.ended.set_result(reason)
        self._writable = False
        if self._next_look is not None:
            self._next_look.cancel()
        for waiting in self._waiting:
            _fail(waiting, CacheUnavailableError(reason))
        self._waiting.clear()


def _fail(waiting: _Waiting | None, error: CacheError) -> None:
    # Whoever sent the command may have left.
    if waiting is not None and not waiting[0].done():
        waiting[0].set_exception(error)
