"""The connection to the database: what counts as reachable, and whom it trusts."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.database import PING, Database, tls
from gateway.reachability import UnreachableError

pytestmark = pytest.mark.anyio

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
StartServer = Callable[[Serve], Awaitable[int]]


@pytest.fixture
async def start_server() -> AsyncIterator[StartServer]:
    """Starts servers on loopback; returns the port."""
    servers: list[asyncio.Server] = []

    async def start(serve: Serve) -> int:
        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await serve(reader, writer)
            except (OSError, asyncio.IncompleteReadError):
                pass
            finally:
                writer.close()

        server = await asyncio.start_server(connected, "localhost", 0, family=2)
        servers.append(server)
        port: int = server.sockets[0].getsockname()[1]
        return port

    yield start
    for server in servers:
        server.close()


async def reaches(database: Database) -> bool:
    try:
        await database.ping()
    except UnreachableError:
        return False
    finally:
        await database.close()
    return True


def serve_database(tls: ssl.SSLContext | None) -> Serve:
    """As much of PostgreSQL's protocol as a ping needs, without a password."""

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
            assert await reader.readexactly(length - 4) == PING.encode() + b"\0"
            writer.write(b"C" + (13).to_bytes(4) + b"SELECT 1\0" + ready)
        assert kind == b"X"

    return serve


async def test_the_databases_certificate_is_checked(
    start_server: Any,
    make_settings: Any,
    server_tls: ssl.SSLContext,
    certificate: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    port = await start_server(serve_database(server_tls))
    assert not await reaches(Database(make_settings(database_port=port)))
    monkeypatch.setattr(tls, "_CERTIFICATE_AUTHORITIES", certificate)
    assert await reaches(Database(make_settings(database_port=port)))
    assert not await reaches(Database(make_settings(database_port=port, database_host="127.0.0.1")))


async def test_a_database_connection_is_kept_until_it_fails(start_server: Any, make_settings: Any) -> None:
    connections: list[asyncio.StreamWriter] = []
    serve = serve_database(None)

    async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)
        await serve(reader, writer)

    port = await start_server(count)
    database = Database(make_settings(database_port=port, database_tls=False))
    await database.ping()
    await database.ping()
    assert len(connections) == 1
    connections[0].transport.abort()
    with pytest.raises(UnreachableError):
        await database.ping()
    await database.ping()
    assert len(connections) == 2
    await database.close()


async def test_a_database_that_is_not_there(make_settings: Any) -> None:
    assert not await reaches(Database(make_settings(database_port=1, database_tls=False)))


def test_the_databases_authorities_are_valid_for_years() -> None:
    authorities = ssl.create_default_context(cafile=tls._CERTIFICATE_AUTHORITIES).get_ca_certs()
    names = [str(authority["subject"]) for authority in authorities]
    assert any("'Amazon RDS us-east-1 Root CA RSA2048 G1'" in name for name in names)
    in_five_years = time.time() + 5 * 365 * 86_400
    assert all(ssl.cert_time_to_seconds(str(each["notAfter"])) > in_five_years for each in authorities)
