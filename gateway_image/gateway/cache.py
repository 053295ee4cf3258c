"""The connection to the cache, Valkey or Redis."""

import ssl

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from gateway.reachability import UnreachableError
from gateway.settings import Settings

_CONNECT_SECONDS = 2
_ANSWER_SECONDS = 2


class Cache:
    """A pool of connections, opened when first used."""

    def __init__(self, settings: Settings) -> None:
        self._client = Redis(
            host=settings.cache_host,
            port=settings.cache_port,
            username=settings.cache_username,
            password=settings.cache_password.get_secret_value(),
            ssl=settings.cache_tls,
            ssl_cert_reqs=ssl.CERT_REQUIRED,
            ssl_check_hostname=True,
            socket_connect_timeout=_CONNECT_SECONDS,
            socket_timeout=_ANSWER_SECONDS,
            # Whoever calls knows better whether another try is worth the wait.
            retry=Retry(NoBackoff(), 0),
        )

    async def ping(self) -> None:
        """Raise UnreachableError unless the cache answers."""
        try:
            await self._client.ping()
        except (RedisError, OSError) as error:
            raise UnreachableError(type(error).__name__) from error

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()
