"""Fetches one image, and nothing else: the guard against callers who would have the gateway ask for them.

The name is resolved once, every address it has must be public, and the connection goes to an address that was
checked: a name that resolves otherwise a moment later changes nothing. Certificates hold for the name.
"""

import asyncio
import ssl
from base64 import b64encode
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from socket import SOCK_STREAM, getaddrinfo

from gateway.http_client import HttpError
from gateway.http_client.connection import Connection, request_head
from gateway.off_loop import off_loop
from gateway.remote_images.addresses import is_public
from gateway.remote_images.errors import ImageError
from gateway.remote_images.hosts import ImageHosts
from gateway.remote_images.image import MEDIA_TYPES, Image, media_type_of
from gateway.remote_images.location import Location, locate

# All addresses of a host name; raises OSError.
Resolve = Callable[[str], Awaitable[list[str]]]
# A connection over TLS to an address, with the name that its certificate must hold for; raises OSError.
Connect = Callable[[str, str], Awaitable[Connection]]

IMAGE_BYTES = 5 * 1024 * 1024
IMAGE_SECONDS = 10

_PORT = 443
_CONNECT_SECONDS = 3
_MOST_ADDRESSES = 3
# At once in one process; others wait for their turn, within their time.
_AT_ONCE = 16
# Names that take long to resolve keep these threads busy, and not those that everything else uses.
_RESOLVER_THREADS = 4
_HEADERS = {
    "accept": ", ".join(MEDIA_TYPES),
    # What is compressed could be far larger than what was received.
    "accept-encoding": "identity",
    "connection": "close",
    "user-agent": "gatehouse",
}


class ImageFetcher:
    """Fetches images from the hosts that are allowed. Make it and use it in one event loop."""

    def __init__(
        self, hosts: ImageHosts, *, resolve: Resolve | None = None, connect: Connect | None = None
    ) -> None:
        self._hosts = hosts
        self._resolve = resolve or Resolver().addresses
        self._connect = connect or TlsConnector().connect
        self._turns = asyncio.Semaphore(_AT_ONCE)

    def allows(self, url: str) -> bool:
        """Whether the URL is sound and names a host that is allowed."""
        try:
            return self._hosts.allow(locate(url).host)
        except ImageError:
            return False

    async def fetch(self, url: str) -> Image:
        """Fetch an image; raises ImageError."""
        location = locate(url)
        if not self._hosts.allow(location.host):
            raise ImageError("images are not fetched from this host")
        try:
            async with asyncio.timeout(IMAGE_SECONDS), self._turns:
                return await self._fetch(location)
        except TimeoutError:
            raise ImageError(f"its host did not send it within {IMAGE_SECONDS} s") from None

    async def _fetch(self, location: Location) -> Image:
        connection = await self._connection(location.host)
        try:
            connection.limit(IMAGE_SECONDS, per_wait=False)
            head = request_head("GET", location.target, location.host, _HEADERS, 0)
            connection.send(head, b"", stream=True)
            await connection.wait_for_head()
            _check_head(connection)
            content = await _read(connection)
        except HttpError:
            raise ImageError("its host's answer broke off or made no sense") from None
        finally:
            # Never kept: its peer is nobody the gateway knows.
            connection.close()
        return await off_loop(len(content), _image, content)

    async def _connection(self, host: str) -> Connection:
        try:
            addresses = await self._resolve(host)
        except (OSError, UnicodeError):
            addresses = []
        if not addresses:
            raise ImageError("its host's name does not resolve")
        if not all(map(is_public, addresses)):
            raise ImageError("its host is not on the public internet")
        for address in addresses[:_MOST_ADDRESSES]:
            try:
                async with asyncio.timeout(_CONNECT_SECONDS):
                    return await self._connect(address, host)
            except (OSError, TimeoutError):
                continue
        raise ImageError("there is no connection to its host, or its certificate is not valid")


class Resolver:
    """Resolves names with the system's resolver."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_RESOLVER_THREADS, "image-hosts")

    async def addresses(self, host: str) -> list[str]:
        """All addresses of a host; raises OSError."""
        # The final dot keeps search domains out: a name is the one that was checked.
        look_up = partial(getaddrinfo, f"{host}.", _PORT, type=SOCK_STREAM)
        found = await asyncio.get_running_loop().run_in_executor(self._threads, look_up)
        return list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))


class TlsConnector:
    """Connects with TLS, by the system's certificate authorities."""

    def __init__(self, tls: ssl.SSLContext | None = None, port: int = _PORT) -> None:
        self._tls = tls
        self._port = port

    async def connect(self, address: str, host: str) -> Connection:
        """Connect to an address whose certificate holds for a host; raises OSError."""
        if self._tls is None:
            self._tls = ssl.create_default_context()
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(
            Connection, address, self._port, ssl=self._tls, server_hostname=host
        )
        return connection


def _check_head(connection: Connection) -> None:
    if connection.status in (301, 302, 303, 307, 308):
        raise ImageError("its host redirects elsewhere, which is not followed; name the image's own URL")
    if connection.status != 200:
        raise ImageError(f"its host answers with status {connection.status}")
    headers = connection.headers
    if headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise ImageError("its host sends it compressed though it was asked not to")
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in (*MEDIA_TYPES, "image/jpg"):
        raise ImageError(f"its host does not call it an image that models take ({', '.join(MEDIA_TYPES)})")
    length = headers.get("content-length", "")
    if length.isdecimal() and (len(length) > 15 or int(length) > IMAGE_BYTES):
        raise _too_large()


async def _read(connection: Connection) -> bytes:
    content = bytearray()
    while chunk := await connection.read_chunk():
        content += chunk
        if len(content) > IMAGE_BYTES:
            raise _too_large()
    return bytes(content)


def _image(content: bytes) -> Image:
    # What it is says the image itself: hosts often name another kind, which models refuse.
    media_type = media_type_of(content)
    if media_type is None:
        raise ImageError(f"it is no image that models take ({', '.join(MEDIA_TYPES)})")
    return Image(media_type, b64encode(content).decode())


def _too_large() -> ImageError:
    return ImageError(f"it is larger than {IMAGE_BYTES // 1024 // 1024} MB")
