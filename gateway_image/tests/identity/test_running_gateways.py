"""Two gateway processes, a database and an issuer: who may call, and that both learn of changes."""

import asyncio
import http.server
import json
import signal
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import asyncpg
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from gateway.identity.key_format import digest, make_key, shown_prefix
from local.fleet import Fleet, fleet
from local.token_issuer import MACHINE, TokenIssuer, public_jwk, sign

BOOTSTRAP = "key-of-the-operator-0123456789abcdef"
HASHING_SECRET = "hashing-secret-of-these-tests-0123456789"
CATALOG = {
    "models": [
        {
            "name": name,
            "deployments": [
                {
                    "name": name,
                    "provider": "bedrock",
                    "region": "us-east-1",
                    "model_id": "amazon.nova-lite-v1:0",
                }
            ],
        }
        for name in ("small", "large")
    ]
}


class Running(NamedTuple):
    fleet: Fleet
    issuer: TokenIssuer


@pytest.fixture(scope="module")
def running(signing_keys: list[rsa.RSAPrivateKey]) -> Iterator[Running]:
    issuer = TokenIssuer(signing_keys[0])

    class Keys(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps({"keys": [public_jwk(signing_keys[0], "key-1")]}).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Keep quiet."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Keys) as server:
        issuer.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        settings = {
            "key_hashing_secret": HASHING_SECRET,
            "identity_issuers": f"[{issuer.issuer().model_dump_json()}]",
            "forwarded_hops": "1",
        }
        credentials = {"AWS_ACCESS_KEY_ID": "AKIAEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret"}
        with fleet(
            catalog=CATALOG,
            api_keys={"operator": BOOTSTRAP},
            settings=settings,
            environ=credentials,
            database=True,
        ) as gateways:
            yield Running(gateways, issuer)
        server.shutdown()


def change(running: Running, *statements: tuple[Any, ...]) -> None:
    """Run statements in a transaction with a new number, which is their first value."""

    async def run() -> None:
        assert running.fleet.postgres is not None
        connection = await asyncpg.connect(running.fleet.postgres.dsn)
        async with connection.transaction():
            version = await connection.fetchval(
                "UPDATE directory_version SET version = version + 1 RETURNING version"
            )
            for statement, *values in statements:
                await connection.execute(statement, version, *values)
        await connection.close()

    asyncio.run(run())


def models(url: str, credential: str, source: str = "198.51.100.1") -> tuple[int, Any]:
    """What GET /v1/models answers: the status, and the models or the error."""
    headers = {"authorization": f"Bearer {credential}", "x-forwarded-for": f"192.0.2.1, {source}"}
    request = urllib.request.Request(f"{url}/v1/models", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, {entry["id"] for entry in json.load(response)["data"]}
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)["error"]["code"]


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_keys_and_tokens_are_good_at_every_gateway_for_as_long_as_they_should(
    running: Running, signing_keys: list[rsa.RSAPrivateKey]
) -> None:
    urls = [gateway.url for gateway in running.fleet.gateways]
    key = make_key()
    change(
        running,
        (
            "INSERT INTO projects (version, id, name, clients, networks) "
            "VALUES ($1, 'proj_1', 'search', $2, $3)",
            [f"{running.issuer.url}#{MACHINE}"],
            ["198.51.100.0/24"],
        ),
        ("INSERT INTO roles (version, name, models) VALUES ($1, 'analysts', '{small}')",),
        (
            "INSERT INTO api_keys (version, id, project_id, name, roles, created_by) "
            "VALUES ($1, 'key_1', 'proj_1', 'service', '{analysts}', 'suite')",
        ),
        (
            "INSERT INTO api_key_secrets (version, digest, key_id, prefix) VALUES ($1, $2, 'key_1', $3)",
            digest(HASHING_SECRET.encode(), key),
            shown_prefix(key),
        ),
    )
    person = sign(running.issuer.claims(**{"cognito:groups": ["analysts"]}), signing_keys[0])
    machine = sign(running.issuer.machine_claims(), signing_keys[0])
    for url in urls:
        until(lambda url=url: models(url, key)[0] == 200)  # type: ignore[misc]
        until(lambda url=url: models(url, person)[0] == 200)  # type: ignore[misc]
        assert models(url, BOOTSTRAP) == (200, {"small", "large"})
        assert models(url, key) == (200, {"small"})
        assert models(url, person) == (200, {"small"})
        assert models(url, machine) == (200, {"small", "large"})
        assert models(url, key, "203.0.113.1") == (403, "address_not_allowed")
        assert models(url, machine, "203.0.113.1") == (403, "address_not_allowed")
        assert models(url, make_key()) == (401, "invalid_api_key")
        forged = sign(running.issuer.claims(), signing_keys[1])
        assert models(url, forged) == (401, "invalid_token")
    change(running, ("UPDATE api_keys SET version = $1, revoked_at = now() WHERE id = 'key_1'",))
    for url in urls:
        until(lambda url=url: models(url, key) == (401, "invalid_api_key"))  # type: ignore[misc]


def test_while_the_database_is_away_bootstrap_keys_and_known_ones_go_on(
    running: Running, signing_keys: list[rsa.RSAPrivateKey]
) -> None:
    assert running.fleet.postgres is not None
    token = sign(running.issuer.claims(sub="somebody-else"), signing_keys[0])
    stayed, restarted = running.fleet.gateways
    until(lambda: models(stayed.url, token)[0] == 200)
    running.fleet.postgres.stop()
    restarted.stop(signal.SIGKILL)
    restarted.start()
    assert models(stayed.url, token)[0] == 200
    assert models(stayed.url, BOOTSTRAP)[0] == 200
    assert models(restarted.url, BOOTSTRAP)[0] == 200
    assert models(restarted.url, token) == (503, "directory_unavailable")
    assert models(restarted.url, make_key()) == (503, "directory_unavailable")
    running.fleet.postgres.start()
    until(lambda: models(restarted.url, token)[0] == 200)
