"""Whole gateway processes: every answered request is in the ledger once, whatever the database does."""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress

import asyncpg
import httpx
import pytest

from gateway.ledger.import_log import import_log
from local.bedrock_simulator import process as simulator_process
from local.fleet import Fleet, fleet
from local.throwaway_servers import Postgres, ServerError

pytestmark = pytest.mark.anyio

# Long enough for several attempts of the ledger to fail. Minutes may be tried too: a spool holds many of this
# load.
OUTAGE_SECONDS = float(os.environ.get("GATEHOUSE_TEST_OUTAGE_SECONDS", "5"))
LIMIT_SECONDS = 120
KEY = "key-of-the-ledger-tests-0123456789abcdef"
CATALOG = {
    "models": [
        {
            "name": "chat",
            "max_output_tokens": 5000,
            "deployments": [
                {
                    "name": "east",
                    "provider": "bedrock",
                    "region": "us-east-1",
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
timing: {tokens_per_second: 5000}
"""
ENVIRON = {"AWS_ACCESS_KEY_ID": "AKIAGATEWAY", "AWS_SECRET_ACCESS_KEY": "secret-of-the-gateway"}


@pytest.fixture(scope="module")
def everything() -> Iterator[Fleet]:
    """Two gateways with a database; no load balancer has to notice that they stop."""
    with (
        simulator_process.start(SCENARIO) as simulator,
        fleet(
            catalog=CATALOG,
            api_keys={"ledger": KEY},
            settings={"bedrock_endpoint_url": simulator.url, "lame_duck_seconds": "0"},
            environ=ENVIRON,
            database=True,
        ) as gateways,
    ):
        yield gateways


@pytest.fixture
def running(everything: Fleet) -> Fleet:
    """The same, with the gateways started again that the test before has stopped."""
    stopped = [each for each in everything.gateways if each.process and each.process.poll() is not None]
    with ThreadPoolExecutor() as pool:
        for started in [pool.submit(gateway.start) for gateway in stopped]:
            started.result()
    return everything


class Asking:
    """Callers that ask gateways all the time. answered: the IDs of the requests that were answered."""

    def __init__(self, urls: list[str]) -> None:
        self.urls = urls
        self.answered: list[str] = []

    async def ask(self, client: httpx.AsyncClient, number: int) -> None:
        """Ask until cancelled, or until there is no gateway left."""
        while self.urls:
            url = self.urls[number % len(self.urls)]
            streamed = number % 2 == 1
            body = {
                "model": "chat",
                "messages": [{"role": "user", "content": "hello"}],
                "max_completion_tokens": 5,
                "stream": streamed,
            }
            with suppress(httpx.TransportError):  # of a gateway that was stopped
                answer = await client.post(f"{url}/v1/chat/completions", json=body)
                assert answer.status_code == 200, answer.text
                assert not streamed or "[DONE]" in answer.text
                self.answered.append(answer.headers["x-request-id"])
            await asyncio.sleep(0.02)


@asynccontextmanager
async def asking(urls: list[str]) -> AsyncIterator[Asking]:
    """Four callers, while the context lasts."""
    callers = Asking(urls)
    headers = {"authorization": f"Bearer {KEY}"}
    async with httpx.AsyncClient(headers=headers, timeout=30) as client, asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(callers.ask(client, number)) for number in range(4)]
        yield callers
        # What was sent is answered.
        callers.urls.clear()
        await asyncio.wait(running, timeout=LIMIT_SECONDS)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(LIMIT_SECONDS):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def requests_in(postgres: Postgres) -> Counter[str]:
    """How often each request is in the ledger."""
    connection = await asyncpg.connect(postgres.dsn)
    try:
        # Both as they were at one moment: gateways go on writing.
        async with connection.transaction(isolation="repeatable_read"):
            rows = await connection.fetch("SELECT request_id FROM usage")
            summed = await connection.fetchval("SELECT coalesce(sum(requests), 0) FROM usage_hourly")
        assert summed == len(rows)
    finally:
        await connection.close()
    return Counter(row["request_id"] for row in rows)


async def assert_each_is_there_once(postgres: Postgres, answered: list[str]) -> None:
    async with asyncio.timeout(LIMIT_SECONDS):
        while not set(answered) <= set(await requests_in(postgres)):  # noqa: ASYNC110
            await asyncio.sleep(0.2)
    found = await requests_in(postgres)
    assert {count for count in found.values()} == {1}
    assert len(set(answered)) == len(answered)


async def stop(running: Fleet) -> None:
    await asyncio.gather(*(asyncio.to_thread(gateway.stop) for gateway in running.gateways))


async def start_again(postgres: Postgres) -> None:
    """What a killed server left behind must have ended before."""
    async with asyncio.timeout(LIMIT_SECONDS):
        while True:
            with suppress(ServerError):
                await asyncio.to_thread(postgres.start)
                return
            await asyncio.sleep(0.2)


async def test_the_database_is_away_under_load(running: Fleet) -> None:
    postgres = running.postgres
    assert postgres is not None
    async with asking([gateway.url for gateway in running.gateways]) as callers:
        await until(lambda: len(callers.answered) > 50)
        postgres.stop(signal.SIGKILL)
        before = len(callers.answered)
        await asyncio.sleep(OUTAGE_SECONDS)
        # Callers notice nothing.
        await until(lambda: len(callers.answered) > before + 50)
        await start_again(postgres)
        after = len(callers.answered)
        await until(lambda: len(callers.answered) > after + 50)
    await assert_each_is_there_once(postgres, callers.answered)


async def test_a_gateway_that_is_stopped_leaves_nothing_behind(running: Fleet) -> None:
    postgres = running.postgres
    assert postgres is not None
    async with asking([gateway.url for gateway in running.gateways]) as callers:
        await until(lambda: len(callers.answered) > 50)
        callers.urls.clear()
    await stop(running)
    assert set(callers.answered) <= set(await requests_in(postgres))
    await assert_each_is_there_once(postgres, callers.answered)


async def test_a_gateway_that_is_stopped_while_the_database_is_away(running: Fleet) -> None:
    """Its log holds what it could not write, and is imported."""
    postgres = running.postgres
    assert postgres is not None
    async with asking([gateway.url for gateway in running.gateways]) as callers:
        await until(lambda: len(callers.answered) > 20)
        postgres.stop(signal.SIGKILL)
        during = len(callers.answered)
        await until(lambda: len(callers.answered) > during + 50)
        callers.urls.clear()
    await stop(running)
    await start_again(postgres)
    assert not set(callers.answered) <= set(await requests_in(postgres))
    connection = await asyncpg.connect(postgres.dsn)
    for gateway in running.gateways:
        imported = await import_log(connection, gateway.output.read_text().splitlines())
        assert (imported.unreadable, imported.too_old) == ([], 0)
    await connection.close()
    await assert_each_is_there_once(postgres, callers.answered)
