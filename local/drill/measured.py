"""What a drill measured, and what it must have."""

from collections.abc import Iterator
from dataclasses import dataclass

from local.drill.ledger import Reconciliation

RECOVERY_SECONDS = 30.0
POINT_SECONDS = 5.0
# For so long a gateway holds a row before it writes it; the rows of killed processes are gone for good.
_HELD_SECONDS = 2.0


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One drill's figures.

    detection_seconds: from the loss until the decision to fail over. answered_seconds: from the loss until
    the standby answered a caller; None if it did not. recovery_seconds: from the decision until the plan had
    ended and no attempt failed any more. written_seconds: from the end of the load until the standby's
    gateways had written every row. protection_seconds: until the old region was the standby of the new one;
    None if it did not become that. missing, missing_finally: of the ledger, before and after rows of the old
    region were salvaged. budget_drift_usd: what the project's budget counts beyond what callers spent;
    negative if less. keys_lost: keys made before the loss that the standby refuses.
    """

    detection_seconds: float
    answered_seconds: float | None
    recovery_seconds: float
    written_seconds: float
    protection_seconds: float | None
    acknowledged: int
    failed_attempts: int
    errors: int
    slowest_seconds: float
    missing: Reconciliation
    salvaged: int
    missing_finally: Reconciliation
    budget_drift_usd: float
    keys_lost: int
    processes_were_killed: bool


def misses(measured: Measured) -> Iterator[str]:
    """What the drill must have and has not, one line each."""
    yield from _misses_of_callers(measured)
    if measured.protection_seconds is None:
        yield "the old region did not become the standby of the new one"
    yield from _misses_of_ledger(measured)


def _misses_of_callers(measured: Measured) -> Iterator[str]:
    if measured.errors:
        yield f"{measured.errors} requests got no answer within a minute of retries"
    if measured.answered_seconds is None:
        yield "the standby answered no caller"
    if measured.recovery_seconds > RECOVERY_SECONDS:
        seconds = measured.recovery_seconds
        yield f"all was served {seconds:.1f} s after the decision, not {RECOVERY_SECONDS:.0f}"
    if measured.keys_lost:
        yield f"{measured.keys_lost} keys do not work afterwards"


def _misses_of_ledger(measured: Measured) -> Iterator[str]:
    if measured.missing.oldest_lost_seconds > POINT_SECONDS:
        lost = measured.missing.oldest_lost_seconds
        yield f"a row answered {lost:.1f} s before the loss is lost, not {POINT_SECONDS:.0f}"
    for ledger in (measured.missing, measured.missing_finally):
        if ledger.doubled:
            yield f"{ledger.doubled} requests have more than one row"
    finally_lost = measured.missing_finally
    if finally_lost.lost_later or finally_lost.oldest_lost_seconds > _HELD_SECONDS:
        yield "rows that were written down somewhere are not salvaged"
    if finally_lost.lost and not measured.processes_were_killed:
        yield f"{finally_lost.lost} rows are lost though no gateway was killed"
