"""A gateway process in a region that stands by: it serves, and takes everything over without a restart."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import asyncpg
import httpx
import pytest

from gateway.identity.key_format import digest, make_key, shown_prefix
from local.bedrock_simulator import process as simulator_process
from local.drill.replica import promote
from local.fleet import GatewayProcess, fleet
from local.throwaway_servers import Postgres

pytestmark = pytest.mark.anyio

ADMIN = "key-of-the-administrator-0123456789abcdef"
HASHING_SECRET = "hashing-secret-of-these-tests-0123456789"
CATALOG = {
    "models": [
        {
            "name": "chat",
            "deployments": [
                {
                    "name": "west",
                    "provider": "bedrock",
                    "region": "us-west-2",
                    "model_id": "amazon.nova-lite-v1:0",
                }
            ],
        }
    ]
}
SCENARIO = """
accounts:
  - id: "111111111111"
    access_keys: {AKIAGATEWAY: secret-of-the-gateway}
unknown_access_keys: reject
"""
ENVIRON = {"AWS_ACCESS_KEY_ID": "AKIAGATEWAY", "AWS_SECRET_ACCESS_KEY": "secret-of-the-gateway"}
PROJECTS = "/admin/v1/projects"


@pytest.fixture
def gateway(standby: Postgres) -> Iterator[GatewayProcess]:
    with (
        simulator_process.start(SCENARIO) as simulator,
        fleet(
            catalog=CATALOG,
            api_keys={"ops": {"key": ADMIN, "admin": True}},
            settings={
                "bedrock_endpoint_url": simulator.url,
                "lame_duck_seconds": "0",
                "database_port": str(standby.port),
                "key_hashing_secret": HASHING_SECRET,
            },
            environ=ENVIRON,
            gateways=1,
        ) as running,
    ):
        yield running.gateways[0]


async def create_key(primary: Postgres) -> str:
    """A key that the primary's administrators make."""
    key = make_key()
    connection = await asyncpg.connect(primary.dsn)
    async with connection.transaction():
        version = await connection.fetchval(
            "UPDATE directory_version SET version = version + 1 RETURNING version"
        )
        for statement, *values in (
            ("INSERT INTO projects (version, id, name) VALUES ($1, 'proj_made', 'made')",),
            (
                "INSERT INTO api_keys (version, id, project_id, name, created_by) "
                "VALUES ($1, 'key_made', 'proj_made', 'made', 'suite')",
            ),
            (
                "INSERT INTO api_key_secrets (version, digest, key_id, prefix) "
                "VALUES ($1, $2, 'key_made', $3)",
                digest(HASHING_SECRET.encode(), key),
                shown_prefix(key),
            ),
        ):
            await connection.execute(statement, version, *values)
    await connection.close()
    return key


async def metrics(client: httpx.AsyncClient, gateway: GatewayProcess) -> dict[str, float]:
    """What is told of the database."""
    port = gateway.environ["GATEWAY_METRICS_PORT"]
    text = (await client.get(f"http://127.0.0.1:{port}/metrics")).text
    found = re.findall(
        r"^(gatehouse_d\w+|gatehouse_ledger_writable)(?:\{dependency=\"database\"\})? (\S+)$",
        text,
        re.MULTILINE,
    )
    return {name: float(value) for name, value in found}


async def chat(client: httpx.AsyncClient, key: str) -> str:
    """Ask for an answer; returns the request's ID."""
    body = {"model": "chat", "messages": [{"role": "user", "content": "hello"}], "max_completion_tokens": 5}
    headers = {"authorization": f"Bearer {key}"}
    answer = await client.post("/v1/chat/completions", json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    return str(answer.headers["x-request-id"])


async def test_it_stands_by_and_takes_over(
    primary: Postgres,
    standby: Postgres,
    gateway: GatewayProcess,
    sql: Callable[..., Awaitable[Any]],
    until: Any,
) -> None:
    key = await create_key(primary)
    admin = {"authorization": f"Bearer {ADMIN}"}
    async with httpx.AsyncClient(base_url=gateway.url, timeout=30) as client:

        async def stands_by() -> bool:
            answer = await client.get("/health/ready")
            assert answer.status_code == 200
            return bool(answer.json()["database"] == "read_only")

        async def is_known() -> bool:
            headers = {"authorization": f"Bearer {key}"}
            return (await client.get("/v1/models", headers=headers)).status_code == 200

        await until(stands_by)
        await until(is_known)
        asked = [await chat(client, key) for _ in range(5)]
        assert (await client.get(PROJECTS, headers=admin)).json()["data"]
        refused = await client.post(PROJECTS, headers=admin, json={"name": "new"})
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "read_only_region")
        assert "retry-after" not in refused.headers

        async def tells_that_usage_waits() -> bool:
            return await metrics(client, gateway) == {
                "gatehouse_database_read_only": 1,
                "gatehouse_dependency_reachable": 1,
                "gatehouse_directory_age_seconds": pytest.approx(1, abs=30),
                "gatehouse_ledger_writable": 0,
            }

        await until(tells_that_usage_waits)
        assert await sql(standby, "SELECT count(*) FROM usage WHERE caller_id = 'key_made'") == 0

        await promote(standby)
        # RDS promotes with a restart.
        await asyncio.to_thread(standby.stop)
        asked.append(await chat(client, key))
        await asyncio.to_thread(standby.start)

        written = "SELECT coalesce(array_agg(request_id), '{}') FROM usage WHERE caller_id = 'key_made'"

        async def is_written() -> bool:
            return sorted(await sql(standby, written)) == sorted(asked)

        async def takes_changes() -> bool:
            made = await client.post(PROJECTS, headers=admin, json={"name": "new"})
            return made.status_code in (201, 409)

        await until(is_written)

        async def tells_that_it_writes() -> bool:
            told = await metrics(client, gateway)
            return (told["gatehouse_database_read_only"], told["gatehouse_ledger_writable"]) == (0, 1)

        await until(takes_changes)
        await until(tells_that_it_writes)
    gateway.stop()
    told = [line for line in gateway.log() if line["event"] != "request"]
    # What happens is told once, and nothing is an error.
    assert {line["level"] for line in told} == {"info", "warning"}
    warnings = [(line["event"], line.get("service")) for line in told if line["level"] == "warning"]
    assert len(warnings) == len(set(warnings))
