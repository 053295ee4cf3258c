"""Whether a request may go on: its caller's limits, and a deployment with capacity left.

Limits hold exactly, over all processes: one script in the cache decides and counts in one round trip, and
what is refused is not counted. While the cache is away each process keeps to its share, or none is enforced,
or callers with limits are refused, as the settings say.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

from gateway.admission.heartbeat import Heartbeat
from gateway.admission.local_windows import LocalWindows
from gateway.admission.outcome import (
    Admitted,
    Allowance,
    Allowances,
    CallerReservation,
    LimitExceededError,
    Needs,
    Reservation,
)
from gateway.admission.rebuilding import Ledger, Rebuilding, UsageSums
from gateway.admission.refusals import does_not_fit, limits_unavailable, never_fits
from gateway.admission.reply import (
    CALLER_ALONE,
    NO_ROOM,
    REFUSED,
    UNKNOWN,
    WAIT_UNKNOWN,
    Reply,
    allowances,
    read_reply,
)
from gateway.admission.scripts import script
from gateway.admission.standing import Standing
from gateway.admission.windows import (
    CallersWindows,
    Correction,
    LimitWindow,
    Question,
    Word,
    callers_corrections,
    capacities_of,
    capacity_corrections,
    windows_of,
)
from gateway.cache.connection import Cache
from gateway.cache.errors import CacheError, CacheUnavailableError
from gateway.callers import Caller, Subject
from gateway.catalog import Deployment
from gateway.database.errors import DatabaseError
from gateway.limits import Limits
from gateway.structured_log import StructuredLog

__all__ = [
    "Admission",
    "Admitted",
    "Allowance",
    "Allowances",
    "CallerReservation",
    "LimitExceededError",
    "Needs",
    "Reservation",
    "Standing",
    "UsageSums",
]

WhenCacheIsAway = Literal["local", "open", "closed"]

# How often windows are rebuilt for one request; a cache that forgets them again at once is no use.
_REBUILDS = 3


class Admission:
    """Counts requests and what they use against the limits of callers and the capacity of deployments."""

    def __init__(
        self,
        cache: Cache,
        log: StructuredLog,
        *,
        sums: UsageSums,
        when_cache_is_away: WhenCacheIsAway,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """sums: the ledger. clock: Unix time, for while the cache, whose clock counts, is away."""
        self._cache = cache
        self._log = log
        self._when_cache_is_away: WhenCacheIsAway = when_cache_is_away
        self._clock = clock
        self._admit_script = cache.add_script(script("admit"))
        self._settle_script = cache.add_script(script("settle"))
        self._standing_script = cache.add_script(script("standing"))
        self._ledger = Ledger(sums)
        self._rebuilding = Rebuilding(cache, self._ledger, log)
        self._heartbeat = Heartbeat(cache)
        self._windows = CallersWindows()
        self._local = LocalWindows()
        self._is_local = False

    async def keep_heartbeat(self) -> None:
        """Tell the other processes that this one is there, until cancelled."""
        try:
            await self._heartbeat.keep()
        finally:
            await self.close()

    async def close(self) -> None:
        """Give up what is asked of the ledger in the background."""
        await self._rebuilding.close()
        await self._ledger.close()

    async def admit(
        self, caller: Caller | None, candidates: Sequence[Deployment], *, model: str, needs: Needs
    ) -> Admitted:
        """Count a request at the first candidate with capacity left; gateway.routing.admission says more."""
        windows = self._windows.of(caller, model) if caller is not None else ()
        capacities = capacities_of(candidates)
        if not windows and not capacities:
            return Admitted(0 if candidates else None, int(self._clock()))
        if caller is not None and (error := never_fits(caller, windows, needs)) is not None:
            raise error
        question = Question(windows, capacities, needs)
        reply = await self._decide(question)
        if caller is not None and reply.outcome == REFUSED:
            raise does_not_fit(caller, windows, needs, reply)
        return _admitted(question, reply, bool(candidates))

    def settle(self, reservation: Reservation, *, used_tokens: int) -> None:
        """Count what a request used instead of what it reserved; returns at once and never raises."""
        self._settle(
            capacity_corrections(reservation, used_tokens, is_cancelled=False), local=reservation.local
        )

    def settle_caller(self, reservation: CallerReservation, used: Needs) -> None:
        """Count what a caller used instead of what it reserved; returns at once and never raises."""
        self._settle(callers_corrections(reservation, used), local=reservation.local)

    def cancel(self, reservation: Reservation) -> None:
        """Count nothing at the deployment, which was not called; returns at once and never raises."""
        self._settle(capacity_corrections(reservation, 0, is_cancelled=True), local=reservation.local)

    async def standing(self, limits: Sequence[tuple[Subject, Limits]]) -> list[Standing]:
        """What is used of each limit that is set, without counting.

        Raises CacheError, and DatabaseError if only the ledger knows.
        """
        windows = windows_of(limits)
        if not windows:
            return []
        words: list[Word] = [len(windows), *(each.key for each in windows), *(each.kind for each in windows)]
        second, *numbers = await self._ask_cache(self._standing_script, words)
        lost = {window.subject for window, used in zip(windows, numbers[::2], strict=True) if used < 0}
        sums = {subject: (await self._ledger.used(subject, second))[1] for subject in lost}
        found = []
        for window, used, reset in zip(windows, numbers[::2], numbers[1::2], strict=True):
            in_use = used if used >= 0 else sums[window.subject].get(window.name, 0)
            reset_seconds = None if reset < 0 else reset
            found.append(Standing(window.subject, window.name, window.limit, in_use, reset_seconds))
        return found

    async def _decide(self, question: Question) -> Reply:
        """What the cache decides, or while it is away this process."""
        try:
            for _ in range(_REBUILDS):
                reply = await self._ask(question)
                if reply.outcome != UNKNOWN:
                    self._note_shared()
                    return reply
                pairs = zip(question.windows, reply.states, strict=True)
                lost = [window for window, state in pairs if state.wait == WAIT_UNKNOWN]
                await self._rebuilding.rebuild(lost, reply.second, on_failure=self._begin_without_ledger)
            raise CacheUnavailableError("the cache does not keep windows")
        except CacheError as error:
            return await self._decide_locally(question, error)

    async def _ask(self, question: Question) -> Reply:
        numbers = await self._ask_cache(
            self._admit_script, question.words(), lambda numbers: self._give_back(question, numbers)
        )
        reply = read_reply(numbers)
        due = [window for window, state in zip(question.windows, reply.states, strict=True) if state.due]
        if due:
            self._rebuilding.compare(due, reply.second)
        return reply

    async def _ask_cache(
        self, script_name: str, words: list[Word], give_back: Callable[[list[int]], None] | None = None
    ) -> list[int]:
        """A script's reply; raises CacheError if it does not come in time.

        give_back: is passed a reply that comes when nobody waits for it any more.
        """
        future: asyncio.Future[list[int]] = self._cache.send(
            "EVALSHA", script_name, *words, on_late=give_back
        )
        try:
            return await future
        except asyncio.CancelledError:
            # The reply may have come at the same moment.
            if give_back is not None and not future.cancelled() and future.exception() is None:
                give_back(future.result())
            raise

    def _note_shared(self) -> None:
        if self._is_local:
            self._is_local = False
            self._log.write("info", "limits_are_shared")

    def _give_back(self, question: Question, numbers: list[int]) -> None:
        """Count nothing of a request whose question was decided too late."""
        reply = read_reply(numbers)
        if reply.outcome in (NO_ROOM, REFUSED, UNKNOWN):
            return
        admitted = _admitted(question, reply, False)
        corrections: list[Correction] = []
        if admitted.caller_reservation is not None:
            corrections += callers_corrections(admitted.caller_reservation, None)
        if admitted.reservation is not None:
            corrections += capacity_corrections(admitted.reservation, 0, is_cancelled=True)
        self._settle(corrections, local=False)

    async def _decide_locally(self, question: Question, error: CacheError) -> Reply:
        if not self._is_local:
            self._is_local = True
            self._local.begin_outage(int(self._clock()))
            self._log.write(
                "warning", "limits_are_local", reason=str(error), callers_limits=self._when_cache_is_away
            )
        if question.windows and self._when_cache_is_away == "closed":
            raise limits_unavailable()
        if self._when_cache_is_away == "open":
            question = question._replace(windows=())
        # What has begun may be forgotten again meanwhile, if the cache was back for a moment.
        while missing := self._local.not_begun(question.windows):
            await self._begin_locally(missing)
        return self._local.admit(question, int(self._clock()), processes=self._heartbeat.processes)

    async def _begin_locally(self, windows: Iterable[LimitWindow]) -> None:
        for window in windows:
            now = int(self._clock())
            try:
                at, sums = await self._ledger.used(window.subject, now)
            except DatabaseError:
                at, sums = now, {}
            self._local.begin(window, sums.get(window.name, 0), at)

    def _begin_without_ledger(self, error: DatabaseError) -> None:
        if self._when_cache_is_away == "closed":
            raise limits_unavailable() from error

    def _settle(self, corrections: list[Correction], *, local: bool) -> None:
        if local:
            self._local.settle(corrections)
        elif corrections:
            words: list[Any] = [len(corrections), *(each.key for each in corrections)]
            for each in corrections:
                words += each[1:]
            self._cache.post("EVALSHA", self._settle_script, *words)


def _admitted(question: Question, reply: Reply, has_candidates: bool) -> Admitted:
    windows = question.windows if len(reply.states) == len(question.windows) else ()
    left = allowances(windows, reply.states) if windows else None
    if reply.outcome == NO_ROOM:
        return Admitted(None, reply.second, reply.seconds, left)
    callers = None
    if windows:
        held = tuple((window, state.born) for window, state in zip(windows, reply.states, strict=True))
        callers = CallerReservation(held, question.needs, reply.second, reply.local)
    if reply.outcome == CALLER_ALONE:
        return Admitted(0 if has_candidates else None, reply.second, None, left, None, callers)
    return Admitted(
        reply.outcome - 1, reply.second, None, left, _capacity_reservation(question, reply), callers
    )


def _capacity_reservation(question: Question, reply: Reply) -> Reservation | None:
    capacity = question.capacities[reply.outcome - 1]
    if not capacity.request_limit and not capacity.token_limit:
        return None
    return Reservation(
        capacity.request_key if capacity.request_limit else None,
        capacity.token_key if capacity.token_limit else None,
        min(question.needs.tokens, capacity.token_limit),
        reply.second,
        reply.local,
    )
