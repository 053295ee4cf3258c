"""Secrets, prompts and credentials: in no log, no metric, no table, and no answer but the prompt's own."""

import asyncio
import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from gateway.settings import variable
from local.throwaway_servers import CACHE_PASSWORD, DATABASE_PASSWORD, free_port
from tests.security import canaries
from tests.security.platform import ADMIN_KEY, PLAIN_KEY, Answer, Platform, wait_until
from tests.security.quoting_provider import BEHAVIOURS

PROMPT = canaries.PROMPT
HEADERS = {
    "cookie": f"session={canaries.COOKIE}",
    "user-agent": canaries.HEADER,
    "x-request-id": f"{canaries.HEADER} {canaries.HEADER}",
    "traceparent": canaries.HEADER,
    "x-anything": canaries.HEADER,
    "anthropic-beta": canaries.HEADER,
    "idempotency-key": canaries.HEADER,
}
SECRETS = [
    ADMIN_KEY,
    PLAIN_KEY,
    CACHE_PASSWORD,
    DATABASE_PASSWORD,
    *(value for name, value in vars(canaries).items() if name.isupper()),
]


def bodies() -> Iterator[tuple[str, bytes]]:
    """Calls that go well and calls that fail, each in its own place."""

    def chat(model: str, content: Any = PROMPT, **more: Any) -> bytes:
        message = {"role": "user", "content": content}
        return json.dumps({"model": model, "messages": [message], "max_tokens": 9, **more}).encode()

    for model in (*BEHAVIOURS, "claude", "no-such-model"):
        for stream in (False, True):
            for path in ("/v1/chat/completions", "/v1/messages"):
                yield path, chat(model, stream=stream)
            response = {"model": model, "input": PROMPT, "stream": stream}
            yield "/v1/responses", json.dumps(response).encode()
        yield "/v1/embeddings", json.dumps({"model": model, "input": PROMPT}).encode()
    url = f"https://localhost/{canaries.URL}?signature={canaries.URL}"
    for image in (url, url.replace("localhost", "images.example.com:1"), url.replace("https", "ftp")):
        yield "/v1/chat/completions", chat("claude", [{"type": "image_url", "image_url": {"url": image}}])
        yield "/v1/messages", chat("claude", [{"type": "image", "source": {"type": "url", "url": image}}])
    good = chat("answers")
    yield from (
        ("/v1/chat/completions", broken)
        for broken in (
            good[:-1],
            good + PROMPT.encode(),
            good.replace(b'"role"', b'"roles"'),
            good.replace(b"}", b"\xff}"),
            good.replace(b"9", f'"{PROMPT}"'.encode()),
            good.replace(b'"model"', f'"{PROMPT}": 1, "model"'.encode()),
            good.replace(b'"user"', f'"{PROMPT}"'.encode()),
            chat(PROMPT),
            chat("claude", tools=[{"type": PROMPT}]),
            chat("claude", metadata={PROMPT: "\x00"}),
            b"[" * 300 + f'"{PROMPT}"'.encode() + b"]" * 300,
            PROMPT.encode(),
        )
    )


def everything_told(platform: Platform) -> str:
    port = platform.gateway.environ[variable("metrics_port")]
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=20) as response:
        metrics: str = response.read().decode()
    return platform.gateway.output.read_text() + metrics


def check(answer: Answer, *, own: str = PROMPT) -> None:
    told = f"{answer.headers}{answer.body.decode()}".replace(own, "")
    assert [secret for secret in SECRETS if secret in told] == []


def test_calls_tell_nothing(platform: Platform) -> None:
    statuses = set()
    for path, body in bodies():
        answer = platform.send("POST", f"{path}?{canaries.QUERY}={canaries.QUERY}", body, HEADERS)
        # A caller may see its own image's URL again, in what a provider says of it.
        check(Answer(answer.status, answer.headers, answer.body.replace(canaries.URL.encode(), b"")))
        statuses.add(answer.status)
    assert {200, 400, 404, 502} <= statuses
    told = everything_told(platform)
    assert [secret for secret in SECRETS if secret in told] == []


def test_credentials_are_told_to_nobody(platform: Platform) -> None:
    wrong = canaries.CREDENTIAL
    for headers in (
        {"authorization": f"Bearer {wrong}"},
        {"authorization": f"Bearer gh_{wrong}"},
        {"authorization": f"Basic {wrong}"},
        {"authorization": wrong},
        {"x-api-key": wrong},
        {"api-key": wrong, "x-api-key": ADMIN_KEY},
        {"authorization": f"Bearer {platform.issuer.token(sub=wrong, iss=wrong)}"},
        {"authorization": f"Bearer {platform.issuer.unsigned(sub=wrong)}"},
        {"authorization": f"Bearer {platform.issuer.token(aud=wrong)}{wrong}"},
        {"proxy-authorization": f"Basic {wrong}"},
    ):
        for path in ("/v1/models", "/admin/v1/keys", "/v1/messages"):
            check(platform.send("GET", path, None, headers, key=None))
    token = platform.issuer.token(sub="known")
    assert platform.send("GET", "/v1/models", key=token).status == 200
    told = everything_told(platform)
    assert [secret for secret in (*SECRETS, token) if secret in told] == []


def test_a_key_is_told_once_and_kept_nowhere(platform: Platform) -> None:
    headers = {"idempotency-key": "make-a-key-once"}
    project = platform.send("POST", "/admin/v1/projects", {"name": "secretive"}).json["id"]
    document = {"project_id": project, "name": "of somebody"}
    made = platform.send("POST", "/admin/v1/keys", document, headers).json
    again = platform.send("POST", "/admin/v1/keys", document, headers).json
    rotated = platform.send("POST", f"/admin/v1/keys/{made['id']}/rotate", {}).json
    assert again["id"] == made["id"]
    keys = [made["key"], rotated["key"]]
    for path in (f"/admin/v1/keys/{made['id']}", "/admin/v1/keys", "/admin/v1/audit?limit=500"):
        answer = platform.send("GET", path)
        assert answer.status == 200
        assert [key for key in keys if key.encode() in answer.body] == []
    assert again["key"] is None
    stored = asyncio.run(everything_stored(platform))
    assert made["id"] in stored
    assert [key for key in (*keys, *SECRETS) if key in stored] == []
    assert [key for key in keys if key in everything_told(platform)] == []


async def everything_stored(platform: Platform) -> str:
    assert platform.fleet.postgres is not None
    connection = await asyncpg.connect(platform.fleet.postgres.dsn)
    try:
        tables = await connection.fetch(
            "SELECT oid::regclass::text FROM pg_class "
            "WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
        )
        rows = [await connection.fetch(f"SELECT t::text FROM {table[0]} t") for table in tables]
        return "\n".join(row[0] for each in rows for row in each)
    finally:
        await connection.close()


def test_prompts_are_not_in_the_ledger(platform: Platform) -> None:
    answer = platform.send("POST", "/v1/chat/completions", next(bodies())[1])
    request_id = dict(answer.headers)["x-request-id"]
    wait_until(lambda: request_id in asyncio.run(everything_stored(platform)))
    stored = asyncio.run(everything_stored(platform))
    assert [secret for secret in SECRETS if secret in stored] == []


@pytest.mark.parametrize("service", ["cache", "database"])
def test_a_service_that_refuses_the_gateway(platform: Platform, service: str, tmp_path: Path) -> None:
    ports = {variable("port"): str(free_port()), variable("metrics_port"): str(free_port())}
    wrong = {variable(f"{service}_password"): canaries.CREDENTIAL}
    environ = {**os.environ, **platform.gateway.environ, **ports, **wrong}
    output = tmp_path / "output"
    with output.open("wb") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "gateway"], env=environ, stdout=stream, stderr=subprocess.STDOUT
        )
    try:
        wait_until(lambda: process.poll() is not None or service in output.read_text())
    finally:
        process.kill()
        process.wait()
    told = output.read_text()
    assert [secret for secret in SECRETS if secret in told] == []
    assert "Traceback" not in told


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("api_keys", json.dumps({"ops": canaries.CREDENTIAL})),
        ("api_keys", json.dumps({canaries.CREDENTIAL * 3: "x"})),
        ("api_keys", canaries.CREDENTIAL),
        ("key_hashing_secret", canaries.CREDENTIAL),
        ("cache_port", canaries.CREDENTIAL),
        ("identity_issuers", canaries.CREDENTIAL),
    ],
)
def test_settings_that_are_wrong_tell_no_values(platform: Platform, name: str, value: str) -> None:
    environ = {**os.environ, **platform.gateway.environ, variable(name): value}
    ended = subprocess.run(
        [sys.executable, "-m", "gateway"], env=environ, capture_output=True, timeout=60, check=False
    )
    told = (ended.stdout + ended.stderr).decode()
    assert ended.returncode != 0
    assert variable(name) in told
    assert [secret for secret in SECRETS if secret in told] == []
    assert "Traceback" not in told
