"""Signing in to the database as an IAM role."""

import asyncio
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch

import botocore.session
import pytest

from gateway.aws.credentials import Credentials, CredentialsError, StaticCredentials
from gateway.aws.database_token import database_token
from gateway.database import Database
from gateway.reachability import UnreachableError

pytestmark = pytest.mark.anyio

MOMENT = 1_795_000_000.0
HOST = "gatehouse.abcdefghijkl.us-east-1.rds.amazonaws.com"


@pytest.mark.parametrize("session_token", [None, "token/with+characters=="])
@pytest.mark.parametrize("username", ["serving", "Serving user+/=~é"])
def test_a_token_is_the_one_of_botocore(session_token: str | None, username: str) -> None:
    session = botocore.session.Session()
    session.set_credentials("AKIDEXAMPLE", "secret", session_token)
    client = session.create_client("rds", region_name="us-east-1")
    moment = datetime.fromtimestamp(MOMENT, UTC)
    with patch("botocore.auth.get_current_datetime", return_value=moment):
        theirs = client.generate_db_auth_token(HOST, 5432, username)
    ours = database_token(
        Credentials(access_key_id="AKIDEXAMPLE", secret_access_key="secret", session_token=session_token),
        region="us-east-1",
        host=HOST,
        port=5432,
        username=username,
        timestamp=MOMENT,
    )
    assert _parts(ours) == _parts(theirs)
    assert ours.startswith(f"{HOST}:5432/?Action=connect&")


def _parts(token: str) -> tuple[str, list[str]]:
    """The order of parameters is part of the signature only in its sorted form."""
    address, _, query = token.partition("?")
    return address, sorted(query.replace("+", "%20").split("&"))


async def asking_server(passwords: list[str]) -> asyncio.Server:
    """As much of PostgreSQL's protocol as it takes to be told a password, which is then refused."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        length = int.from_bytes(await reader.readexactly(4))
        await reader.readexactly(length - 4)
        writer.write(b"R" + (8).to_bytes(4) + (3).to_bytes(4))
        assert await reader.readexactly(1) == b"p"
        length = int.from_bytes(await reader.readexactly(4))
        passwords.append((await reader.readexactly(length - 4)).rstrip(b"\0").decode())
        refusal = b"SFATAL\0VFATAL\0C28P01\0Mno\0\0"
        writer.write(b"E" + (4 + len(refusal)).to_bytes(4) + refusal)
        writer.close()

    return await asyncio.start_server(serve, "127.0.0.1", 0)


def settings_of(server: asyncio.Server, make_settings: Any) -> Any:
    return make_settings(
        key_hashing_secret="secret-of-the-test-suite-0123456789",
        database_host="127.0.0.1",
        database_port=server.sockets[0].getsockname()[1],
        database_tls=False,
        database_username="serving",
        database_authentication="iam",
    )


async def test_every_connection_has_a_token_of_its_own(make_settings: Any) -> None:
    passwords: list[str] = []
    async with await asking_server(passwords) as server:
        credentials = StaticCredentials(Credentials(access_key_id="AKID", secret_access_key="secret-key"))
        database = Database(settings_of(server, make_settings), credentials)
        with pytest.raises(UnreachableError, match="InvalidPasswordError"):
            await database.ping()
        later = patch("gateway.aws.signature.time.gmtime", return_value=datetime(2030, 1, 1).timetuple())
        with later, pytest.raises(UnreachableError):
            await database.ping()
    first, second = passwords
    assert "Action=connect&DBUser=serving&" in first
    assert "X-Amz-Date=20300101T000000Z" in second
    assert "secret-key" not in first


async def test_expired_credentials_are_told_and_nothing_is_sent(make_settings: Any) -> None:
    class Expired(StaticCredentials):
        def current(self) -> Credentials:
            raise CredentialsError("they have expired")

    passwords: list[str] = []
    async with await asking_server(passwords) as server:
        keys = Credentials(access_key_id="AKID", secret_access_key="secret-key")
        database = Database(settings_of(server, make_settings), Expired(keys))
        with pytest.raises(UnreachableError, match="CredentialsError"):
            await database.ping()
    assert passwords == []
