"""The gateway's client for the cache, Valkey or Redis."""

import asyncio
import logging
import random
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from hashlib import sha1
from typing import Any

from gateway.aws.cache_token import cache_token
from gateway.aws.credentials import CredentialsError, CredentialSource
from gateway.cache.errors import CacheError, CacheReplyError, CacheUnavailableError
from gateway.cache.session import OnLate, Session, Word
from gateway.reachability import UnreachableError
from gateway.settings import Settings

_LOG = logging.getLogger(__name__)

# Signing in included. With IAM, the cache asks another service whether the token holds.
_CONNECT_SECONDS = {"password": 1, "iam": 3}
_FIRST_PAUSE_SECONDS = 0.03
_LONGEST_PAUSE_SECONDS = 2
# ElastiCache closes a connection 12 hours after an IAM role signed in on it.
_SIGNED_IN_SECONDS = 10 * 60 * 60
_RENEWAL_PAUSE_SECONDS = 60


class Cache:
    """One connection that all requests of the process share, kept up by `stay_connected`.

    While there is none, commands fail at once: a request never waits for a cache that is away. Nothing is
    sent twice. The server's certificate and name are checked, with the system's authorities.

    credentials: needed to sign in as an IAM role. Before such a sign-in expires, another connection takes
    over, and the old one stays until its commands have their replies.
    """

    def __init__(
        self,
        settings: Settings,
        credentials: CredentialSource | None = None,
        *,
        signed_in_seconds: float = _SIGNED_IN_SECONDS,
    ) -> None:
        self._settings = settings
        self._credentials = credentials
        self._signed_in_seconds = signed_in_seconds
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
        session = await self._connect()
        self._tried.set()
        try:
            while (successor := await self._successor_of(session)) is not None:
                replaced, session = session, successor
                await replaced.finish()
            self._reason = session.ended.result()
        finally:
            self._session = None
            session.close()

    async def _successor_of(self, session: Session) -> Session | None:
        """Return another connection when this one's sign-in is about to expire, None once it has ended."""
        expires = self._settings.cache_authentication == "iam"
        # Not all processes at the same moment.
        jitter = random.uniform(0.9, 1)  # noqa: S311 (nothing secret)
        wait_seconds = self._signed_in_seconds * jitter if expires else None
        # The wait may be cancelled, the future must not be.
        while not (await asyncio.wait([session.ended], timeout=wait_seconds))[0]:
            try:
                return await self._connect()
            except CacheError as error:
                _LOG.warning("the cache was not signed in to anew: %s", error)
                wait_seconds = _RENEWAL_PAUSE_SECONDS
        return None

    async def _connect(self) -> Session:
        """Make a connection the one in use; raises CacheError, and leaves that one as it is."""
        try:
            async with asyncio.timeout(_CONNECT_SECONDS[self._settings.cache_authentication]):
                return await self._open_session()
        # TimeoutError is an OSError; ValueError is a host name that cannot be one.
        except (OSError, ValueError, CredentialsError) as error:
            raise CacheUnavailableError(type(error).__name__) from error

    async def _open_session(self) -> Session:
        settings, previous = self._settings, self._session
        _, session = await asyncio.get_running_loop().create_connection(
            lambda: Session(self._deliver_message), settings.cache_host, settings.cache_port, ssl=self._tls
        )
        try:
            await self._sign_in(session)
            session.watch()
            self._session = session
            for on_connect in self._on_connect:
                await on_connect()
        except BaseException:
            self._session = previous
            session.close()
            raise
        return session

    async def _sign_in(self, session: Session) -> None:
        try:
            # Version 3 of the protocol: messages come over the connection that commands use.
            await session.send("HELLO", 3, "AUTH", self._settings.cache_username, self._password())
            await asyncio.gather(
                *(session.send("SCRIPT", "LOAD", script) for script in self._scripts),
                *(session.send("SUBSCRIBE", channel) for channel in self._subscribers),
            )
        except CacheReplyError as error:
            # Servers that do not know HELLO repeat its arguments; the code says enough.
            raise CacheUnavailableError(str(error).partition(" ")[0]) from None

    def _password(self) -> str:
        """Raises CredentialsError."""
        settings = self._settings
        name, password = settings.cache_name, settings.cache_password
        if settings.cache_authentication == "iam" and self._credentials is not None and name is not None:
            return cache_token(
                self._credentials.current(),
                region=settings.region,
                cache_name=name,
                username=settings.cache_username,
            )
        return password.get_secret_value() if password is not None else ""

    def _deliver_message(self, channel: bytes, message: bytes) -> None:
        self._subscribers[channel](message)
