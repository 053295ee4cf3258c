"""Four processes that share nothing but a cache and ask as fast as they can: limits hold to the last one."""

import asyncio
import json
import sys
from typing import Any

import pytest

from gateway.admission import Admission, Needs
from gateway.callers import Caller
from gateway.limits import Limits

pytestmark = pytest.mark.anyio

WORKER = """
import asyncio, io, json, random, sys
import uvloop
import gateway.admission, gateway.cache.session
from gateway.admission import Admission, LimitExceededError, Needs
from gateway.cache.connection import Cache
from gateway.callers import Caller
from gateway.catalog import BedrockDeployment, Capacity
from gateway.limits import Limits
from gateway.settings import load_settings
from gateway.structured_log import StructuredLog

class NothingYet:
    async def used(self, subject, at):
        return {}

gateway.cache.session._LOOK_SECONDS = 15

async def main():
    task = json.loads(sys.argv[1])
    chance = random.Random(task["seed"])
    cache, log = Cache(load_settings(task["environment"])), io.BytesIO()
    admission = Admission(cache, StructuredLog(log, "info"), sums=NothingYet(), when_cache_is_away="closed")
    connection = asyncio.create_task(cache.stay_connected())
    await cache.ping()
    usual = {"provider": "bedrock", "region": "us-east-1", "model_id": "amazon.nova-lite-v1:0"}
    deployments = [
        BedrockDeployment(name=name, capacity=Capacity(requests_per_minute=limit), **usual)
        for name, limit in (("first", 60), ("second", 25), ("last", None))
    ]
    caller = Caller("key_worker", "worker", "key", limits=Limits(**task["limits"]))
    counts, used = {}, Needs()

    async def call():
        nonlocal used
        needs = Needs(*task["needs"])
        for _ in range(task["calls"]):
            try:
                admitted = await admission.admit(caller, deployments, model="chat", needs=needs)
            except LimitExceededError:
                counts["refused"] = counts.get("refused", 0) + 1
                continue
            counts[admitted.index] = counts.get(admitted.index, 0) + 1
            if task["settles"]:
                await asyncio.sleep(0)
                part = chance.randint(0, 100)
                mine = Needs(needs.tokens * part // 100, needs.nano_usd * part // 100)
                used = Needs(used.tokens + mine.tokens, used.nano_usd + mine.nano_usd)
                admission.settle_caller(admitted.caller_reservation, mine)

    print("ready", flush=True)
    sys.stdin.readline()
    await asyncio.gather(*(call() for _ in range(50)))
    await cache.send("PING")
    print(json.dumps([counts, used.tokens, used.nano_usd]))

uvloop.run(main())
"""


async def run_workers(settings: Any, **task: Any) -> tuple[dict[str, int], int, int]:
    """What became of all calls, and the tokens and the money that were used."""
    environment = {
        f"GATEWAY_{name.upper()}": str(
            getattr(value, "get_secret_value", lambda value=value: value)()
        ).lower()
        for name, value in settings
        if value is not None
    }
    workers = [
        await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            WORKER,
            json.dumps({"environment": environment, **task, "seed": task["seed"] * 4 + n}),
            stdin=-1,
            stdout=-1,
        )
        for n in range(4)
    ]
    for worker in workers:
        assert worker.stdout is not None
        assert await worker.stdout.readline() == b"ready\n"
    outputs = await asyncio.gather(*(worker.communicate(b"go\n") for worker in workers))
    results = [json.loads(output) for output, _ in outputs]
    names = {name for counts, _, _ in results for name in counts}
    totals = {name: sum(counts.get(name, 0) for counts, _, _ in results) for name in names}
    return totals, sum(tokens for _, tokens, _ in results), sum(usd for _, _, usd in results)


async def test_exactly_the_limit_passes(valkey: Any, settings_of: Any) -> None:
    totals, _, _ = await run_workers(
        settings_of(valkey), limits={"requests_per_hour": 100}, needs=[1, 1], calls=2, settles=False, seed=0
    )
    assert totals == {"0": 60, "1": 25, "2": 15, "refused": 300}


async def test_budgets_are_not_exceeded_and_the_counters_are_what_was_used(
    valkey: Any, settings_of: Any, start_process: Any
) -> None:
    limits: dict[str, Any] = {"tokens_per_month": 100_000, "usd_per_day": 0.002}
    totals, tokens, nano_usd = await run_workers(
        settings_of(valkey), limits=limits, needs=[900, 15_000], calls=8, settles=True, seed=0
    )
    assert tokens <= 100_000
    assert nano_usd <= 2_000_000
    assert totals["refused"] > 0
    admission: Admission = (await start_process(clock_counts=False)).admission
    who = Caller("key_worker", "worker", "key", limits=Limits(**limits))
    held = {each.name: each.used for each in await admission.standing(who.limits_on("chat"))}
    assert held == {"tokens_per_month": tokens, "usd_per_day": nano_usd}
    assert await passes_all_that_is_left(admission, who, 100_000 - tokens, 2_000_000 - nano_usd)


async def passes_all_that_is_left(admission: Admission, who: Caller, tokens: int, nano_usd: int) -> bool:
    admitted = await admission.admit(who, [], model="chat", needs=Needs(tokens, nano_usd))
    return admitted.caller_reservation is not None
