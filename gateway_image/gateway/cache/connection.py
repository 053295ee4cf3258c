"""The gateway's client for the cache, Valkey or Redis."""

import asyncio
import random
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from hashlib import sha1
from typing import Any

from gateway.cache.errors import CacheError, CacheReplyError, CacheUnavailableError
from gateway.cache.session import OnLate, Session, Word
from gateway.reachability import UnreachableError
from gateway.settings import Settings

_CONNECT_SECONDS = 1
_FIRST_PAUSE_SECONDS = 0.03
_LONGEST_PAUSE_SECONDS = 2


class Cache:
    """One connection that all requests of the process share, kept up by `stay_connected`.

    While there is none, commands fail at once: a request never waits for a cache that is away. Nothing is
    sent twice. The server's certificate and name are checked, with the system's authorities.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._tls = ssl.create_default_context() if settings.cache_tls else None
        self._scripts: list[str] = []
        self._subscribers: dict[bytes, Callable[[bytes], None]] = {}
        self._on_connect: list[Callable[[], Awaitable[None]]] = []
        self._session: Session | None = None
        self._reason = "not connected yet"
        self._tried = asyncio.Event()

    def add_script(self, source: str) -> str:
        """Have a script loaded at every connection; returns its SHA-1 for EVALSHA."""
        self._scripts.append(source)
        return sha1(source.encode(), usedforsecurity=False).hexdigest()

    def subscribe(
        self, channel: str, on_message: Callable[[bytes], None], on_connect: Callable[[], Awaitable[None]]
    ) -> None:
        """Have a channel's messages delivered.

        on_connect is awaited at every connection, once messages arrive: it reads what was missed and may
        raise CacheError.
        """
        self._subscribers[channel.encode()] = on_message
        self._on_connect.append(on_connect)

    def send(self, *words: Word, on_late: OnLate | None = None) -> asyncio.Future[Any]:
        """Send a command; its reply, or a CacheError, comes with the future within 0.75 s.

        on_late: is passed a reply that comes when the future is done, because it took too long or was
        cancelled. Raises CacheUnavailableError at once while there is no connection.
        """
        if self._session is None:
            raise CacheUnavailableError(self._reason)
        return self._session.send(*words, on_late=on_late)

    def post(self, *words: Word) -> None:
        """Send a command whose reply does not matter; it is lost while there is no connection."""
        if self._session is not None:
            with suppress(CacheUnavailableError):
                self._session.post(*words)

    async def ping(self) -> None:
        """Raise UnreachableError unless the cache answers."""
        await self._tried.wait()
        try:
            await self.send(b"PING")
        except CacheError as error:
            raise UnreachableError(str(error)) from error

    async def stay_connected(self) -> None:
        """Connect, and again whenever the connection is lost, until cancelled; then close it."""
        loop = asyncio.get_running_loop()
        pause_seconds = _FIRST_PAUSE_SECONDS
        while True:
            began = loop.time()
            try:
                await self._connect_and_wait()
            except CacheError as error:
                self._reason = str(error)
                self._tried.set()
            if loop.time() - began > _LONGEST_PAUSE_SECONDS:
                pause_seconds = _FIRST_PAUSE_SECONDS
            # Not all processes at the same moment.
            await asyncio.sleep(pause_seconds * random.uniform(0.5, 1))  # noqa: S311 (nothing secret)
            pause_seconds = min(pause_seconds * 2, _LONGEST_PAUSE_SECONDS)

    async def _connect_and_wait(self) -> None:
        """Return when the connection has ended; raises CacheError if there was none."""
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                session = await self._open_session()
        # TimeoutError is an OSError; ValueError is a host name that cannot be one.
        except (OSError, ValueError) as error:
            raise CacheUnavailableError(type(error).__name__) from error
        self._tried.set()
        try:
            # The wait may be cancelled, the future must not be.
            self._reason = await asyncio.shield(session.ended)
        finally:
            self._session = None
            session.close()

    async def _open_session(self) -> Session:
        settings = self._settings
        _, session = await asyncio.get_running_loop().create_connection(
            lambda: Session(self._deliver_message), settings.cache_host, settings.cache_port, ssl=self._tls
        )
        try:
            await self._sign_in(session)
            self._session = session
            for on_connect in self._on_connect:
                await on_connect()
        except BaseException:
            self._session = None
            session.close()
            raise
        return session

    async def _sign_in(self, session: Session) -> None:
        settings = self._settings
        password = settings.cache_password.get_secret_value()
        try:
            # Version 3 of the protocol: messages come over the connection that commands use.
            await session.send("HELLO", 3, "AUTH", settings.cache_username, password)
            await asyncio.gather(
                *(session.send("SCRIPT", "LOAD", script) for script in self._scripts),
                *(session.send("SUBSCRIBE", channel) for channel in self._subscribers),
            )
        except CacheReplyError as error:
            # Servers that do not know HELLO repeat its arguments; the code says enough.
            raise CacheUnavailableError(str(error).partition(" ")[0]) from None

    def _deliver_message(self, channel: bytes, message: bytes) -> None:
        self._subscribers[channel](message)
