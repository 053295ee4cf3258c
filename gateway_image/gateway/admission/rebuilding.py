"""How calendar windows come by what was used in them before: the ledger knows, and the cache may forget."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Protocol

from gateway.admission.scripts import script
from gateway.admission.windows import LimitWindow, Word
from gateway.cache.connection import Cache
from gateway.callers import Subject
from gateway.database.errors import DatabaseError
from gateway.structured_log import StructuredLog

# A request waits for the ledger no longer than this.
_LEDGER_SECONDS = 2


class UsageSums(Protocol):
    """What the ledger holds."""

    async def used(self, subject: Subject, at: int) -> Mapping[str, int]:
        """By names of Limits: what was used in each calendar window that contains Unix second `at`.

        Money is in nano-USD. Raises DatabaseError.
        """


class Ledger:
    """Asks for sums; those who ask at the same time for the same subject share one question."""

    def __init__(self, sums: UsageSums) -> None:
        self._sums = sums
        self._questions: dict[Subject, asyncio.Task[tuple[int, Mapping[str, int]]]] = {}

    async def used(self, subject: Subject, at: int) -> tuple[int, Mapping[str, int]]:
        """The second that was asked about, `at` or one shortly before, and the sums; raises DatabaseError."""
        question = self._questions.get(subject)
        if question is None:
            question = self._questions[subject] = asyncio.create_task(self._ask(subject, at))
            question.add_done_callback(lambda done: self._forget(subject, done))
        # Whoever asks may be cancelled; the others go on waiting.
        return await asyncio.shield(question)

    async def close(self) -> None:
        """Give up all questions."""
        await _cancel(self._questions.values())

    async def _ask(self, subject: Subject, at: int) -> tuple[int, Mapping[str, int]]:
        try:
            async with asyncio.timeout(_LEDGER_SECONDS):
                return at, await self._sums.used(subject, at)
        except TimeoutError:
            raise DatabaseError("the ledger did not answer in time") from None

    def _forget(self, subject: Subject, question: asyncio.Task[tuple[int, Mapping[str, int]]]) -> None:
        del self._questions[subject]
        if not question.cancelled():
            # Seen even if all who asked have left.
            question.exception()


class Rebuilding:
    """Keeps the cache's calendar windows at what the ledger holds, at least."""

    def __init__(self, cache: Cache, ledger: Ledger, log: StructuredLog) -> None:
        self._cache = cache
        self._ledger = ledger
        self._log = log
        self._script = cache.add_script(script("raise"))
        self._comparisons: set[asyncio.Task[None]] = set()

    async def rebuild(
        self, windows: Iterable[LimitWindow], at: int, *, on_failure: Callable[[DatabaseError], None]
    ) -> None:
        """Have windows made whose state was lost, from the ledger's sums.

        on_failure: called when the ledger is away; if it does not raise, the windows begin at 0, and every
        few seconds a request has them compared until the ledger is back.
        """
        for subject, group in _by_subject(windows).items():
            try:
                asked_at, sums = await self._ledger.used(subject, at)
            except DatabaseError as error:
                on_failure(error)
                self._raise(group, at, {}, has_answered=False)
            else:
                self._raise(group, asked_at, sums, has_answered=True)

    def compare(self, windows: Iterable[LimitWindow], at: int) -> None:
        """Have windows raised to the ledger's sums; returns at once and never raises."""
        for subject, group in _by_subject(windows).items():
            comparison = asyncio.create_task(self._compare(subject, group, at))
            self._comparisons.add(comparison)
            comparison.add_done_callback(self._compared)

    async def close(self) -> None:
        """Give up what is being compared."""
        await _cancel(self._comparisons)

    async def _compare(self, subject: Subject, windows: list[LimitWindow], at: int) -> None:
        # While the ledger is away its own log says so; the windows stay due.
        with suppress(DatabaseError):
            asked_at, sums = await self._ledger.used(subject, at)
            self._raise(windows, asked_at, sums, has_answered=True)

    def _compared(self, comparison: asyncio.Task[None]) -> None:
        self._comparisons.discard(comparison)
        if not comparison.cancelled() and (error := comparison.exception()) is not None:
            self._log.write_exception("limits_not_compared", error)

    def _raise(
        self, windows: list[LimitWindow], at: int, sums: Mapping[str, int], *, has_answered: bool
    ) -> None:
        words: list[Word] = [len(windows), *(window.key for window in windows), at, 1 if has_answered else 0]
        for window in windows:
            words += (window.kind, sums.get(window.name, 0))
        self._cache.post("EVALSHA", self._script, *words)


def _by_subject(windows: Iterable[LimitWindow]) -> dict[Subject, list[LimitWindow]]:
    groups: dict[Subject, list[LimitWindow]] = {}
    for window in windows:
        groups.setdefault(window.subject, []).append(window)
    return groups


async def _cancel(tasks: Iterable[asyncio.Task[object]]) -> None:
    tasks = list(tasks)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
