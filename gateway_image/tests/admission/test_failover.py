"""The cache's primary is lost and its replica, which may be behind, takes over.

The gap: what was counted or settled in the moments that the replica had not yet heard of may be admitted a
second time in calendar windows, until the next comparison with the ledger, and in rolling windows until it
would have left them. No more than that: nothing is counted for good that was not used.
"""

from typing import Any

import pytest
import redis

from gateway.admission import Admission, LimitExceededError, Needs
from gateway.callers import Caller, Subject
from gateway.limits import Limits
from local.throwaway_servers import CACHE_PASSWORD

pytestmark = pytest.mark.anyio

MODEL = "chat"
WHO = Caller("key_failover", "failover", "key", limits=Limits(tokens_per_day=1000, requests_per_minute=100))


async def passes(admission: Admission, tokens: int) -> bool:
    try:
        await admission.admit(WHO, [], model=MODEL, needs=Needs(tokens))
    except LimitExceededError:
        return False
    return True


async def used(admission: Admission) -> dict[str, int]:
    return {each.name: each.used for each in await admission.standing(WHO.limits_on(MODEL))}


def client_of(server: Any) -> redis.Redis:
    return redis.Redis("127.0.0.1", server.port, username="gateway", password=CACHE_PASSWORD)


@pytest.fixture
def servers(start_valkey: Any) -> Any:
    """A primary and its replica."""
    primary, replica = start_valkey(), start_valkey()
    with client_of(primary) as client:
        # Usually it waits five seconds for further replicas.
        client.config_set("repl-diskless-sync-delay", 0)
    with client_of(replica) as client:
        client.config_set("masteruser", "gateway")
        client.config_set("masterauth", CACHE_PASSWORD)
        client.execute_command("REPLICAOF", "127.0.0.1", primary.port)
    yield primary, replica
    primary.kill()
    replica.kill()


async def promote(primary: Any, replica: Any, process: Any) -> None:
    """The replica takes the primary's place, and its address, as a managed cache's endpoint moves."""
    primary.kill()
    with client_of(replica) as client:
        client.execute_command("REPLICAOF", "NO", "ONE")
    process.cache._settings = process.cache._settings.model_copy(update={"cache_port": replica.port})
    await process.until_connected()


async def until_in_sync(primary: Any, replica: Any, until: Any) -> None:
    async def are_in_sync() -> bool:
        with client_of(primary) as first, client_of(replica) as second:
            there = second.info("replication")
            ahead = first.info("replication")["master_repl_offset"]
            return bool(there["master_link_status"] == "up" and there["slave_repl_offset"] >= ahead)

    await until(are_in_sync)


async def test_what_the_replica_has_heard_of_stays_counted(
    start_process: Any, servers: Any, until: Any
) -> None:
    primary, replica = servers
    process = await start_process(server=primary)
    admission = process.admission
    held = await admission.admit(WHO, [], model=MODEL, needs=Needs(700))
    await until_in_sync(primary, replica, until)
    await promote(primary, replica, process)
    assert await used(admission) == {"tokens_per_day": 700, "requests_per_minute": 1}
    assert not await passes(admission, 301)
    # A reservation made at the one is settled at the other.
    admission.settle_caller(held.caller_reservation, Needs(100))
    assert await used(admission) == {"tokens_per_day": 100, "requests_per_minute": 1}
    assert await passes(admission, 900)


async def test_what_the_replica_missed_comes_back_from_the_ledger(
    start_process: Any, servers: Any, until: Any, sums: Any, clock: Any
) -> None:
    primary, replica = servers
    process = await start_process(server=primary)
    admission = process.admission
    early = await admission.admit(WHO, [], model=MODEL, needs=Needs(200))
    await until_in_sync(primary, replica, until)
    with client_of(replica) as client:
        # As if the network between the two were slow.
        client.execute_command("REPLICAOF", "NO", "ONE")
    late = await admission.admit(WHO, [], model=MODEL, needs=Needs(600))
    admission.settle_caller(early.caller_reservation, Needs(150))
    assert await used(admission) == {"tokens_per_day": 750, "requests_per_minute": 2}
    await promote(primary, replica, process)
    assert await used(admission) == {"tokens_per_day": 200, "requests_per_minute": 1}
    # What ends now was reserved where nobody knows of it: it is counted, and takes nothing from others.
    admission.settle_caller(late.caller_reservation, Needs(500))
    assert (await used(admission))["tokens_per_day"] in (500, 700)
    sums.held[Subject("caller", WHO.id, None)] = {"tokens_per_day": 650}
    clock.now += 61
    assert await passes(admission, 0)

    async def is_raised() -> bool:
        return (await used(admission))["tokens_per_day"] >= 650

    await until(is_raised)
    # The early reservation, whose settlement was lost, ends by itself.
    clock.now += 1260
    assert await passes(admission, 350)
    assert not await passes(admission, 1)
