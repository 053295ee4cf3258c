"""A pod's role by its cluster's OpenID Connect provider: STS trades the pod's token for credentials."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiohttp import web

from gateway.aws import credentials as module
from gateway.aws.credentials import CredentialsError, load_credentials
from gateway.aws.web_identity import WebIdentityCredentials
from gateway.http_client import HttpClient

pytestmark = pytest.mark.anyio

StartServer = Callable[[Callable[[web.Request], Awaitable[web.Response]]], Awaitable[str]]
ROLE = "arn:aws:iam::111111111111:role/gateway"
NAMESPACE = "https://sts.amazonaws.com/doc/2011-06-15/"


def answer(key: str, *, valid_seconds: float = 3600) -> web.Response:
    expiration = datetime.fromtimestamp(time.time() + valid_seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    credentials = (
        f"<AccessKeyId>{key}</AccessKeyId><SecretAccessKey>secret of {key}</SecretAccessKey>"
        f"<SessionToken>token of {key}</SessionToken><Expiration>{expiration}</Expiration>"
    )
    return web.Response(
        text=f'<AssumeRoleWithWebIdentityResponse xmlns="{NAMESPACE}"><AssumeRoleWithWebIdentityResult>'
        f"<Credentials>{credentials}</Credentials></AssumeRoleWithWebIdentityResult>"
        "</AssumeRoleWithWebIdentityResponse>"
    )


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    file = tmp_path / "token"
    file.write_text("signed-by-the-cluster\n")
    return file


def environ(token_file: Path, url: str) -> dict[str, str]:
    return {
        "AWS_REGION": "eu-central-1",
        "AWS_ROLE_ARN": ROLE,
        "AWS_WEB_IDENTITY_TOKEN_FILE": str(token_file),
        "AWS_ENDPOINT_URL_STS": url,
    }


async def test_the_token_is_traded_for_the_role_s_credentials(
    http: HttpClient, start_server: StartServer, token_file: Path
) -> None:
    async def serve(request: web.Request) -> web.Response:
        assert await request.post() == {
            "Action": "AssumeRoleWithWebIdentity",
            "Version": "2011-06-15",
            "RoleArn": ROLE,
            "RoleSessionName": "gatehouse",
            "WebIdentityToken": "signed-by-the-cluster",
        }
        # It is the token that counts: there is nothing to sign with yet.
        assert "authorization" not in request.headers
        return answer("ASIA1")

    url = await start_server(serve)
    # Before the container's endpoint, as in the AWS SDKs.
    also = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:1/never-asked"}
    found = (await load_credentials(environ(token_file, url) | also, http)).current()
    assert (found.access_key_id, found.secret_access_key) == ("ASIA1", "secret of ASIA1")
    assert found.session_token == "token of ASIA1"
    assert found.expires_at is not None
    assert found.expires_at > time.time() + 3500


async def test_a_token_that_the_cluster_has_replaced_is_read_again(
    http: HttpClient, start_server: StartServer, token_file: Path
) -> None:
    async def serve(request: web.Request) -> web.Response:
        return answer(str((await request.post())["WebIdentityToken"]))

    source = WebIdentityCredentials(http, environ(token_file, await start_server(serve)))
    await source.start()
    assert source.current().access_key_id == "signed-by-the-cluster"
    await asyncio.to_thread(token_file.write_text, "signed-later")
    await source.refresh()
    assert source.current().access_key_id == "signed-later"


@pytest.mark.parametrize(
    ("status", "body", "message"),
    [
        (
            400,
            f'<ErrorResponse xmlns="{NAMESPACE}"><Error><Code>InvalidIdentityToken</Code>'
            "<Message>No OpenIDConnect provider found</Message></Error></ErrorResponse>",
            "InvalidIdentityToken: No OpenIDConnect provider",
        ),
        (503, "busy", "STS answered with 503"),
        (200, "<nothing/>", "holds no credentials"),
    ],
)
async def test_what_sts_says_is_told_and_the_token_is_not(
    http: HttpClient,
    start_server: StartServer,
    token_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    body: str,
    message: str,
) -> None:
    async def serve(_: web.Request) -> web.Response:
        return web.Response(status=status, text=body)

    monkeypatch.setattr(module, "with_retries", lambda work, retry_on: work())
    with pytest.raises(CredentialsError, match=message) as caught:
        await load_credentials(environ(token_file, await start_server(serve)), http)
    assert "signed-by-the-cluster" not in str(caught.value)


@pytest.mark.parametrize("name", ["AWS_ROLE_ARN", "AWS_REGION"])
async def test_a_variable_that_is_missing_is_named(http: HttpClient, token_file: Path, name: str) -> None:
    without = {key: value for key, value in environ(token_file, "").items() if key != name}
    with pytest.raises(CredentialsError, match=f"{name} is missing"):
        await load_credentials(without, http)


async def test_a_token_that_cannot_be_read_is_said(
    http: HttpClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "with_retries", lambda work, retry_on: work())
    with pytest.raises(CredentialsError, match="token for AWS credentials cannot be read"):
        await load_credentials(environ(tmp_path / "missing", "http://127.0.0.1:1"), http)
