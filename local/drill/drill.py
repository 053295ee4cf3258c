"""One drill: load, a fault, the plan, and what callers and the ledger say afterwards."""

import asyncio
import contextlib
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import httpx

from local.bedrock_simulator import process as simulator_process
from local.drill.callers import Callers, Seen
from local.drill.failover import Plan, serve
from local.drill.faults import break_primary, come_back, notice
from local.drill.ledger import reconcile, salvage
from local.drill.measured import POINT_SECONDS, RECOVERY_SECONDS, Measured, misses
from local.drill.project import Project, create
from local.drill.scenario import TOLD, Scenario
from local.drill.world import ACCESS_KEY, PRIMARY, SECRET_KEY, STANDBY, World, world
from local.throwaway_servers import ServerError
from operations.recovery.execution import Execution
from operations.recovery.report import Objective, Report

# Longer than a gateway that could not write its rows waits before it tries again.
_WRITTEN_SECONDS = 20.0
_LOOK_SECONDS = 0.2
_MODELS = f"""
accounts:
  - id: "111111111111"
    access_keys: {{{ACCESS_KEY}: {SECRET_KEY}}}
unknown_access_keys: reject
timing: {{tokens_per_second: 200}}
"""

_AWAY = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, httpx.HTTPError, ServerError)

Say = Callable[[str], None]


class BrokenOffError(Exception):
    """A drill did not come as far as its figures; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """What became of one drill. missed: what it must have and has not."""

    scenario: Scenario
    measured: Measured
    missed: tuple[str, ...]
    report: Report


def run(scenario: Scenario, plan: Mapping[str, Any], say: Say) -> Result:
    """Run one drill; `plan` holds the properties of the plan's resource, without references.

    Raises BrokenOffError, also if the regions are left in a state that nothing can be measured in.
    """
    with (
        _breaking_off(),
        tempfile.TemporaryDirectory(prefix="gatehouse-drill-") as name,
        simulator_process.start(_MODELS) as models,
    ):
        folder = Path(name)
        # PostgreSQL runs as another user.
        folder.chmod(0o711)
        return asyncio.run(_run(scenario, plan, folder, models.url, say))


@contextlib.contextmanager
def _breaking_off() -> Iterator[None]:
    try:
        yield
    except _AWAY as error:
        raise BrokenOffError(f"{type(error).__name__}: {error}") from error


async def _run(
    scenario: Scenario, plan: Mapping[str, Any], folder: Path, model_endpoint: str, say: Say
) -> Result:
    say("starting two regions")
    async with world(folder, model_endpoint, scenario) as running, serve(plan, running) as served:
        project = await create(running, keys=scenario.callers)
        return await _Drill(scenario, running, served, project, say).run()


class _Drill:
    """The course of one drill. Times are of `time.time`."""

    def __init__(self, scenario: Scenario, running: World, plan: Plan, project: Project, say: Say) -> None:
        self._scenario, self._say = scenario, say
        self._world, self._plan, self._project = running, plan, project
        self._callers = Callers(running.name, project.keys, seed=scenario.seed)

    async def run(self) -> Result:
        self._say("callers ask")
        self._callers.start()
        await self._project.add_key()
        begun = time.time()
        await asyncio.sleep(self._scenario.seconds_before)
        self._say(TOLD[self._scenario.fault])
        lost_at = await break_primary(self._world)
        await notice(self._world)
        decided_at = time.time()
        self._say("failing over")
        execution = await self._plan.fail_over(self._scenario, RECOVERY_SECONDS)
        await asyncio.sleep(self._scenario.seconds_after)
        await self._callers.leave()
        self._say("comparing the ledger with what callers were told")
        measured = await self._measure(execution, begun, lost_at, decided_at)
        return self._result(execution, measured)

    async def _measure(
        self, execution: Execution, begun: float, lost_at: float, decided_at: float
    ) -> Measured:
        seen, standby = self._callers.seen, self._world.standby
        written_seconds = await self._until_written()
        drift = await self._project.counted_usd() - seen.usd
        keys_lost = await self._project.keys_lost()
        missing = await reconcile(standby.postgres, seen.acknowledged, lost_at=lost_at)
        self._say("the old region comes back")
        protection_seconds = await self._protect(execution)
        salvaged = await salvage(self._world, since=begun)
        finally_missing = await reconcile(standby.postgres, seen.acknowledged, lost_at=lost_at)
        last_failure = max(seen.failed_attempts, default=decided_at)
        answered_at = _answered_at(seen, standby.front_door.url)
        return Measured(
            detection_seconds=decided_at - lost_at,
            answered_seconds=None if answered_at is None else answered_at - lost_at,
            recovery_seconds=max(execution.ended or time.time(), last_failure) - decided_at,
            written_seconds=written_seconds,
            protection_seconds=protection_seconds,
            acknowledged=len(seen.acknowledged),
            failed_attempts=len(seen.failed_attempts),
            errors=len(seen.errors),
            slowest_seconds=seen.slowest_seconds,
            missing=missing,
            salvaged=salvaged,
            missing_finally=finally_missing,
            budget_drift_usd=drift,
            keys_lost=keys_lost,
            processes_were_killed=self._scenario.kills,
        )

    async def _until_written(self) -> float:
        """Wait until the ledger has what the standby's own gateways answered; how long that took."""
        standby, begun = self._world.standby, time.monotonic()
        own = [each for each in self._callers.seen.acknowledged if each.url == standby.front_door.url]
        while time.monotonic() - begun < _WRITTEN_SECONDS:
            ledger = await reconcile(standby.postgres, own, lost_at=0)
            if not ledger.lost_later:
                break
            await asyncio.sleep(_LOOK_SECONDS)
        return time.monotonic() - begun

    async def _protect(self, recovery: Execution) -> float | None:
        """Let the old region come back as the standby; how long that took, None if it did not work."""
        await come_back(self._world)
        execution = await self._plan.protect(recovery, RECOVERY_SECONDS)
        if execution is None or execution.outcome != "completed" or execution.ended is None:
            return None
        return execution.ended - execution.started

    def _result(self, execution: Execution, measured: Measured) -> Result:
        missed = [*misses(measured)]
        if not execution.outcome.startswith("completed"):
            missed.insert(0, f"the plan's execution is {execution.outcome}")
        return Result(
            scenario=self._scenario,
            measured=measured,
            missed=tuple(missed),
            report=Report(
                environment="one machine",
                action="drill",
                from_region=PRIMARY,
                to_region=STANDBY,
                mode=execution.mode,
                execution_id=execution.id,
                outcome=execution.outcome,
                started=execution.started,
                ended=execution.ended,
                recovery_time=Objective(allowed=RECOVERY_SECONDS, measured=measured.recovery_seconds),
                recovery_point=Objective(
                    allowed=POINT_SECONDS, measured=measured.missing.oldest_lost_seconds
                ),
                steps=execution.steps,
                findings=[*missed, *self._callers.seen.errors],
                measures=_named(self._scenario, measured),
            ),
        )


def _answered_at(seen: Seen, url: str) -> float | None:
    """When the standby first answered a caller."""
    return min((each.at for each in seen.acknowledged if each.url == url), default=None)


def _named(scenario: Scenario, measured: Measured) -> dict[str, Any]:
    """The figures under the names that a report shows."""
    answered, protected = measured.answered_seconds, measured.protection_seconds
    return {
        "scenario": f"{scenario.seed}: {TOLD[scenario.fault]}",
        "load": f"{scenario.callers} callers, {scenario.workers} workers in each gateway",
        "from the fault to the decision": f"{measured.detection_seconds:.1f} s",
        "from the fault to the standby's first answer": "-" if answered is None else f"{answered:.1f} s",
        "from the end of the load until every row was written": f"{measured.written_seconds:.1f} s",
        "until the old region was a standby": "-" if protected is None else f"{protected:.1f} s",
        "requests acknowledged": measured.acknowledged,
        "attempts that failed": measured.failed_attempts,
        "requests without an answer after a minute of retries": measured.errors,
        "slowest answer, retries included": f"{measured.slowest_seconds:.1f} s",
        "ledger rows missing after the failover": measured.missing.lost + measured.missing.lost_later,
        "ledger rows salvaged from the old region": measured.salvaged,
        "ledger rows lost in the end": measured.missing_finally.lost + measured.missing_finally.lost_later,
        "ledger rows doubled": measured.missing_finally.doubled,
        "keys lost": measured.keys_lost,
        "budget counts beyond what callers spent": f"USD {measured.budget_drift_usd:+.4f}",
    }
