"""The fetcher against a real TLS server, reached through a resolver that says what the test wants."""

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.http_client.connection import Connection
from gateway.remote_images import fetching
from gateway.remote_images.errors import ImageError
from gateway.remote_images.fetching import ImageFetcher, TlsConnector
from gateway.remote_images.hosts import parse_image_hosts
from gateway.remote_images.image import Image

pytestmark = pytest.mark.anyio

PNG = b"\x89PNG\r\n\x1a\n" + b"pixels" * 10
URL = "https://localhost/image.png?token=canary"
PUBLIC = "93.184.215.14"
SECRET = b"internal-page-7d1f"

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def response(body: bytes, *headers: str, status: str = "200 OK", length: int | None = None) -> bytes:
    head = [f"HTTP/1.1 {status}", f"content-length: {len(body) if length is None else length}", *headers]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


class Web:
    """One host's server; requests: what it was asked, connects: where the fetcher connected to."""

    def __init__(self, certificate: Path, answer: bytes | Answer) -> None:
        self.addresses: list[str] = [PUBLIC]
        self.requests: list[bytes] = []
        self.connects: list[str] = []
        self.resolved = 0
        self.closed = asyncio.Event()
        self.fails_at: set[str] = set()
        self._answer = answer
        self._trust = ssl.create_default_context(cafile=certificate)
        self._connector: TlsConnector | None = None

    def listen(self, port: int) -> None:
        self._connector = TlsConnector(self._trust, port)

    def fetcher(self, hosts: str = '["localhost", "other.example.com"]') -> ImageFetcher:
        return ImageFetcher(parse_image_hosts(hosts), resolve=self._resolve, connect=self._connect)

    async def _resolve(self, host: str) -> list[str]:
        self.resolved += 1
        return self.addresses

    async def _connect(self, address: str, host: str) -> Connection:
        self.connects.append(address)
        if address in self.fails_at or self._connector is None:
            raise ConnectionRefusedError
        return await self._connector.connect("127.0.0.1", host)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            self.requests.append(await reader.readuntil(b"\r\n\r\n"))
            if isinstance(self._answer, bytes):
                writer.write(self._answer)
                await reader.read()
            else:
                await self._answer(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self.closed.set()
            writer.close()


@asynccontextmanager
async def web(certificate: Path, server_tls: ssl.SSLContext, answer: bytes | Answer) -> AsyncIterator[Web]:
    host = Web(certificate, answer)
    server = await asyncio.start_server(host.serve, "127.0.0.1", 0, ssl=server_tls)
    host.listen(server.sockets[0].getsockname()[1])
    try:
        yield host
    finally:
        server.close()
        await server.wait_closed()


StartWeb = Callable[[bytes | Answer], Awaitable[Web]]


@pytest.fixture
async def start_web(certificate: Path, server_tls: ssl.SSLContext) -> AsyncIterator[StartWeb]:
    started = []

    async def start(answer: bytes | Answer) -> Web:
        context = web(certificate, server_tls, answer)
        started.append(context)
        return await context.__aenter__()

    yield start
    for context in started:
        await context.__aexit__(None, None, None)


async def refusal(host: Web, url: str = URL) -> str:
    with pytest.raises(ImageError) as caught:
        await host.fetcher().fetch(url)
    message = str(caught.value)
    for hidden in (SECRET.decode(), "canary", PUBLIC, "localhost"):
        assert hidden not in message
    return message


async def test_an_image_is_fetched(start_web: StartWeb) -> None:
    host = await start_web(response(PNG, "content-type: image/png"))
    image = await host.fetcher().fetch(URL)
    assert image == Image("image/png", base64.b64encode(PNG).decode())
    lines = host.requests[0].decode().split("\r\n")
    assert lines[0] == "GET /image.png?token=canary HTTP/1.1"
    assert {"host: localhost", "accept-encoding: identity", "connection: close"} <= set(lines)
    assert not [line for line in lines if line.startswith(("authorization", "cookie", "x-", "traceparent"))]
    assert (host.connects, host.resolved) == ([PUBLIC], 1)
    async with asyncio.timeout(5):
        await host.closed.wait()


async def test_what_it_is_says_the_image_itself(start_web: StartWeb) -> None:
    host = await start_web(response(PNG, "content-type: image/jpeg; x=y"))
    assert (await host.fetcher().fetch(URL)).media_type == "image/png"


async def test_an_image_may_come_in_pieces_and_last_until_the_connection_ends(start_web: StartWeb) -> None:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: image/png\r\n\r\n")
        for start in range(0, len(PNG), 7):
            writer.write(PNG[start : start + 7])
            await writer.drain()
            await asyncio.sleep(0)

    host = await start_web(answer)
    assert base64.b64decode((await host.fetcher().fetch(URL)).data) == PNG


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["169.254.169.254"],
        ["fd00:ec2::254"],
        ["::ffff:93.184.215.14"],
        [PUBLIC, "10.0.0.1"],
        ["10.0.0.1", PUBLIC],
        [PUBLIC, "::1"],
    ],
)
async def test_one_address_that_is_not_public_is_enough(start_web: StartWeb, addresses: list[str]) -> None:
    host = await start_web(response(PNG, "content-type: image/png"))
    host.addresses = addresses
    assert "not on the public internet" in await refusal(host)
    assert (host.connects, host.requests) == ([], [])


async def test_a_name_that_changes_its_mind_is_asked_once(start_web: StartWeb) -> None:
    """The connection goes to the address that was checked, whatever the name resolves to a moment later."""
    host = await start_web(response(PNG, "content-type: image/png"))
    answers = iter([[PUBLIC], ["169.254.169.254"]])

    async def resolve(_: str) -> list[str]:
        return next(answers)

    fetcher = ImageFetcher(parse_image_hosts('["*"]'), resolve=resolve, connect=host._connect)
    await fetcher.fetch(URL)
    assert host.connects == [PUBLIC]
    with pytest.raises(ImageError):
        await fetcher.fetch(URL)
    assert host.connects == [PUBLIC]


async def test_a_host_that_is_not_listed_is_not_even_resolved(start_web: StartWeb) -> None:
    host = await start_web(response(PNG, "content-type: image/png"))
    for url in (
        "https://evil.example.com/",
        "https://x.localhost/",
        "https://127.0.0.1/",
        "http://localhost/",
    ):
        await refusal(host, url)
        assert not host.fetcher().allows(url)
    assert (host.resolved, host.requests) == (0, [])
    assert host.fetcher().allows(URL)


async def test_a_certificate_for_another_name(start_web: StartWeb) -> None:
    host = await start_web(response(PNG, "content-type: image/png"))
    assert "certificate" in await refusal(host, "https://other.example.com/")
    assert host.requests == []


async def test_another_address_of_the_host_is_tried(start_web: StartWeb) -> None:
    host = await start_web(response(PNG, "content-type: image/png"))
    host.addresses = ["8.8.8.8", "2606:4700::1", PUBLIC]
    host.fails_at = {"8.8.8.8", "2606:4700::1"}
    await host.fetcher().fetch(URL)
    assert host.connects == host.addresses
    host.addresses = ["8.8.8.8"]
    assert "no connection" in await refusal(host)


async def test_a_name_that_does_not_resolve() -> None:
    async def resolve(_: str) -> list[str]:
        raise OSError

    with pytest.raises(ImageError, match="does not resolve"):
        await ImageFetcher(parse_image_hosts('["*"]'), resolve=resolve).fetch(URL)


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (response(SECRET, "location: https://169.254.169.254/", status="302 Found"), "redirects"),
        (response(SECRET, status="404 Not Found"), "status 404"),
        (response(PNG, "content-type: image/png", status="206 Partial"), "status 206"),
        (response(SECRET, "content-type: text/html"), "does not call it an image"),
        (response(PNG), "does not call it an image"),
        (response(PNG, "content-type: image/svg+xml"), "does not call it an image"),
        (response(PNG, "content-type: application/octet-stream"), "does not call it an image"),
        (response(SECRET, "content-type: image/png"), "no image"),
        (response(b"", "content-type: image/png"), "no image"),
        (response(PNG, "content-type: image/png", "content-encoding: gzip"), "compressed"),
        (response(PNG, "content-type: image/png", length=50_000_000), "larger than 5 MB"),
        (response(PNG, "content-type: image/png", length=len(PNG) + 1)[:-1], "broke off"),
        (SECRET + b"\r\n\r\n", "made no sense"),
        (b"HTTP/1.1 200 OK\r\nx: " + b"y" * 100_000, "made no sense"),
        (b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n", "made no sense"),
    ],
)
async def test_answers_that_are_no_image(start_web: StartWeb, answer: bytes, problem: str) -> None:
    async def send(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)

    host = await start_web(send)
    assert problem in await refusal(host)
    async with asyncio.timeout(5):
        await host.closed.wait()
    assert len(host.requests) == 1


async def test_a_body_without_a_length_is_counted(start_web: StartWeb) -> None:
    async def flood(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: image/png\r\ntransfer-encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
            await writer.drain()
            # Draining need not wait, and then nothing else in this loop would run, not even the reader.
            await asyncio.sleep(0)

    host = await start_web(flood)
    assert "larger than 5 MB" in await refusal(host)


@pytest.mark.parametrize(
    "head", [b"HTTP/1.1 200 OK\r\nx: ", b"HTTP/1.1 200 OK\r\ncontent-type: image/png\r\n\r\n"]
)
async def test_a_host_that_takes_its_time(
    start_web: StartWeb, monkeypatch: pytest.MonkeyPatch, head: bytes
) -> None:
    monkeypatch.setattr(fetching, "IMAGE_SECONDS", 0.3)

    async def drip(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while not writer.is_closing():
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.02)

    host = await start_web(drip)
    async with asyncio.timeout(10):
        assert "within 0.3 s" in await refusal(host)


async def test_a_name_that_never_resolves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "IMAGE_SECONDS", 0.1)

    async def resolve(_: str) -> list[str]:
        await asyncio.sleep(3600)
        return []

    async with asyncio.timeout(10):
        with pytest.raises(ImageError, match="within"):
            await ImageFetcher(parse_image_hosts('["*"]'), resolve=resolve).fetch(URL)


async def test_leaving_closes_the_connection(start_web: StartWeb) -> None:
    asked = asyncio.Event()

    async def wait(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        asked.set()
        await reader.read()

    host = await start_web(wait)
    fetching_ = asyncio.create_task(host.fetcher().fetch(URL))
    async with asyncio.timeout(10):
        await asked.wait()
        fetching_.cancel()
        await host.closed.wait()


async def test_the_systems_resolver_is_asked_for_the_whole_name(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, int]] = []

    def getaddrinfo(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        asked.append((host, port))
        v6, v4 = ("2606:4700::1", port, 0, 0), (PUBLIC, port)
        return [(0, 1, 6, "", v6), (0, 1, 6, "", v4), (0, 2, 17, "", v4)]

    monkeypatch.setattr(fetching, "getaddrinfo", getaddrinfo)
    assert await fetching.Resolver().addresses("images.example.com") == ["2606:4700::1", PUBLIC]
    # The dot at the end: no search domain is tried, which could be one inside the network.
    assert asked == [("images.example.com.", 443)]
