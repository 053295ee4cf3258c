"""Helpers of the gateway's tests."""

import asyncio
import datetime
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.http_client import HttpClient
from gateway.settings import Settings, load_settings

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]
StartServer = Callable[[Answer], Awaitable[str]]
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
StartTcpServer = Callable[[Serve], Awaitable[str]]
MakeSettings = Callable[..., Settings]
PASSWORD_OF_SERVICES = "password-of-the-service"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def http() -> AsyncIterator[HttpClient]:
    client = HttpClient()
    yield client
    await client.close()


@pytest.fixture
async def start_server() -> AsyncIterator[StartServer]:
    """Starts HTTP servers on loopback that answer every request with one function; returns their URL."""
    runners: list[web.ServerRunner] = []

    async def start(answer: Answer) -> str:
        async def handler(request: web.BaseRequest) -> web.StreamResponse:
            return await answer(request)  # type: ignore[arg-type]

        runner = web.ServerRunner(web.Server(handler, handler_cancellation=True), shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        runners.append(runner)
        host, port = runner.addresses[0][:2]
        return f"http://{host}:{port}"

    yield start
    for runner in runners:
        await runner.cleanup()


@pytest.fixture
async def start_tcp_server() -> AsyncIterator[StartTcpServer]:
    """Starts servers that speak HTTP by hand; returns their URL."""
    servers: list[asyncio.Server] = []
    serving: list[asyncio.Future[None]] = []

    async def start(serve: Serve) -> str:
        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            serving.append(asyncio.ensure_future(serve(reader, writer)))
            await asyncio.wait(serving[-1:])
            writer.close()

        server = await asyncio.start_server(connected, "127.0.0.1", 0)
        servers.append(server)
        return f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    yield start
    for each in serving:
        each.cancel()
    await asyncio.gather(*serving, return_exceptions=True)
    for server in servers:
        server.close()
        await server.wait_closed()


@pytest.fixture(scope="session")
def make_settings() -> MakeSettings:
    """Makes settings whose services are at localhost; fields that are named replace the usual ones."""
    usual = {
        "ENVIRONMENT": "test",
        "REGION": "us-east-1",
        "MODELS_SOURCE": "file:///models.json",
        "API_KEYS": '{"ci": "0123456789abcdef0123456789abcdef"}',
        "CACHE_HOST": "localhost",
        "CACHE_USERNAME": "gateway",
        "CACHE_PASSWORD": PASSWORD_OF_SERVICES,
        "DATABASE_HOST": "localhost",
        "DATABASE_NAME": "gateway",
        "DATABASE_USERNAME": "gateway",
        "DATABASE_PASSWORD": PASSWORD_OF_SERVICES,
        "KEY_HASHING_SECRET": "hashing-secret-of-the-tests-0123456789",
    }

    def make(**values: object) -> Settings:
        own = {name.upper(): str(value).lower() for name, value in values.items()}
        return load_settings({f"GATEWAY_{name}": value for name, value in (usual | own).items()})

    return make


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate for localhost that signs itself, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "localhost.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + signed.public_bytes(serialization.Encoding.PEM)
    )
    return file


@pytest.fixture(scope="session")
def server_tls(certificate: Path) -> ssl.SSLContext:
    """What a server at localhost speaks TLS with."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context
