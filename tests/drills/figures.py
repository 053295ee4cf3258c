"""What a good drill measures."""

from dataclasses import replace

from local.drill.drill import Result
from local.drill.ledger import Reconciliation
from local.drill.measured import Measured
from local.drill.scenario import scenario
from operations.recovery.report import Objective, Report, StepTime

NOTHING_LOST = Reconciliation(lost=0, oldest_lost_seconds=0.0, lost_later=0, doubled=0)
GOOD = Measured(
    detection_seconds=6.0,
    answered_seconds=7.0,
    recovery_seconds=12.0,
    written_seconds=0.5,
    protection_seconds=5.0,
    acknowledged=1000,
    failed_attempts=40,
    errors=0,
    slowest_seconds=9.0,
    missing=replace(NOTHING_LOST, lost=10, oldest_lost_seconds=0.4),
    salvaged=10,
    missing_finally=NOTHING_LOST,
    budget_drift_usd=-0.2,
    keys_lost=0,
    processes_were_killed=False,
)


def result_of(seed: int, *missed: str) -> Result:
    """A drill of a seed that measured what is good, whatever it is said to have missed."""
    report = Report(
        environment="one machine",
        action="drill",
        from_region="us-east-1",
        to_region="us-west-2",
        mode="ungraceful",
        execution_id="a1b2",
        outcome="completed",
        started=1_000.0,
        ended=1_012.0,
        recovery_time=Objective(allowed=30, measured=GOOD.recovery_seconds),
        recovery_point=Objective(allowed=5, measured=0.4),
        steps=[StepTime(name="verify", status="completed", started=1_000.0, ended=1_012.0)],
        findings=missed,
    )
    return Result(scenario=scenario(seed), measured=GOOD, missed=missed, report=report)
