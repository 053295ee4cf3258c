import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiohttp import web

from gateway.aws import credentials as module
from gateway.aws.credentials import ContainerCredentials, CredentialsError, load_credentials
from gateway.http_client import HttpClient

pytestmark = pytest.mark.anyio

StartServer = Callable[[Callable[[web.Request], Awaitable[web.Response]]], Awaitable[str]]


def answer(key: str, *, valid_seconds: float) -> web.Response:
    expiration = datetime.fromtimestamp(time.time() + valid_seconds, UTC)
    return web.json_response(
        {
            "RoleArn": "arn:aws:iam::111111111111:role/gateway",
            "AccessKeyId": key,
            "SecretAccessKey": f"secret of {key}",
            "Token": f"token of {key}",
            "Expiration": expiration.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
    )


async def test_the_environment_comes_first(http: HttpClient) -> None:
    environ = {
        "AWS_ACCESS_KEY_ID": "AKID",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:1/never-asked",
    }
    found = (await load_credentials(environ, http)).current()
    assert (found.access_key_id, found.secret_access_key, found.session_token) == ("AKID", "secret", None)
    assert "secret" not in repr(found)


async def test_the_token_in_the_file_is_sent_to_the_container_endpoint(
    http: HttpClient, start_server: StartServer, tmp_path: Path
) -> None:
    async def serve(request: web.Request) -> web.Response:
        assert request.headers["authorization"] == "the pod's token"
        return answer("ASIA1", valid_seconds=3600)

    token_file = tmp_path / "token"
    token_file.write_text("the pod's token\n")
    environ = {
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{await start_server(serve)}/v1/credentials",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(token_file),
    }
    found = (await load_credentials(environ, http)).current()
    assert (found.access_key_id, found.session_token) == ("ASIA1", "token of ASIA1")


async def test_the_ecs_endpoint_is_asked_by_relative_uri(
    http: HttpClient, start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def serve(request: web.Request) -> web.Response:
        assert request.path == "/v2/credentials/task"
        return answer("ASIA2", valid_seconds=3600)

    monkeypatch.setattr(module, "_ECS_ENDPOINT", await start_server(serve))
    environ = {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/v2/credentials/task"}
    assert (await load_credentials(environ, http)).current().access_key_id == "ASIA2"


@pytest.mark.parametrize("body", [b"\xff", b"{}", b"[" * 10_000, b'"x"'])
async def test_an_odd_answer_keeps_the_old_credentials_and_hides_the_path(
    http: HttpClient, start_server: StartServer, body: bytes
) -> None:
    answers = iter([answer("first", valid_seconds=600), web.Response(body=body)])

    async def serve(_: web.Request) -> web.Response:
        return next(answers)

    source = ContainerCredentials(http, f"{await start_server(serve)}/v2/credentials/guid-of-the-task")
    await source.start()
    with pytest.raises(CredentialsError) as caught:
        await source.refresh()
    assert "guid-of-the-task" not in str(caught.value)
    assert source.current().access_key_id == "first"


async def test_credentials_are_replaced_before_they_expire(
    http: HttpClient, start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([answer("first", valid_seconds=600), web.Response(status=500)])
    asked_again = asyncio.Event()

    async def serve(_: web.Request) -> web.Response:
        if (next_answer := next(answers, None)) is not None:
            return next_answer
        asked_again.set()
        return answer("second", valid_seconds=3600)

    monkeypatch.setattr(module, "_RETRY_SECONDS", 0.01)
    source = await load_credentials({"AWS_CONTAINER_CREDENTIALS_FULL_URI": await start_server(serve)}, http)
    assert source.current().access_key_id == "first"
    refresher = asyncio.create_task(source.keep_fresh())
    await asyncio.wait_for(asked_again.wait(), 5)
    await asyncio.sleep(0.1)
    refresher.cancel()
    assert source.current().access_key_id == "second"


async def test_expired_credentials_are_not_handed_out(http: HttpClient, start_server: StartServer) -> None:
    async def serve(_: web.Request) -> web.Response:
        return answer("old", valid_seconds=-1)

    source = ContainerCredentials(http, await start_server(serve), token=None, token_file=None)
    await source.refresh()
    with pytest.raises(CredentialsError, match="expired"):
        source.current()


@pytest.mark.parametrize("body", ['{"Code": "AccessDenied"}', "not json", ""])
async def test_an_answer_without_credentials_is_an_error(
    http: HttpClient, start_server: StartServer, body: str
) -> None:
    async def serve(_: web.Request) -> web.Response:
        return web.Response(text=body)

    source = ContainerCredentials(http, await start_server(serve), token=None, token_file=None)
    with pytest.raises(CredentialsError, match="gave no credentials"):
        await source.refresh()


@pytest.mark.parametrize(
    ("environ", "message"),
    [
        ({}, "no AWS credentials"),
        ({"AWS_ACCESS_KEY_ID": "AKID"}, "AWS_SECRET_ACCESS_KEY is missing"),
        ({"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://10.0.0.1/creds"}, "plain HTTP to another machine"),
        ({"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://localhost.evil.example/"}, "plain HTTP"),
    ],
)
async def test_an_environment_without_usable_credentials_says_what_to_do(
    http: HttpClient, environ: dict[str, str], message: str
) -> None:
    with pytest.raises(CredentialsError, match=message):
        await load_credentials(environ, http)


async def test_a_refused_endpoint_is_named_without_its_path(http: HttpClient) -> None:
    environ = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://user:word@10.0.0.1/guid-of-the-task"}
    with pytest.raises(CredentialsError, match="plain HTTP") as caught:
        await load_credentials(environ, http)
    assert "'http://10.0.0.1'" in str(caught.value)
    assert "guid" not in str(caught.value)
    assert "word" not in str(caught.value)
