"""The scripts, and what a process does by itself, against the rules written down without any economy."""

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import pytest
import redis
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from gateway.admission.local_windows import LocalWindows
from gateway.admission.outcome import CallerReservation, Needs, Reservation
from gateway.admission.reply import CALLER_ALONE, NO_ROOM, REFUSED, Reply, read_reply
from gateway.admission.scripts import script
from gateway.admission.windows import (
    Capacity,
    Correction,
    LimitWindow,
    Question,
    callers_corrections,
    capacity_corrections,
    windows_of,
)
from gateway.callers import Subject
from gateway.limits import NANO_USD, Limits
from local.throwaway_servers import CACHE_PASSWORD, Valkey

WIDTHS = {"minute": 1, "hour": 60}
LEASE_SECONDS = 1200
_examples = itertools.count()


def begins(kind: str, second: int) -> datetime:
    """When the period of a calendar window began."""
    midnight = datetime.fromtimestamp(second, UTC).replace(hour=0, minute=0, second=0)
    if kind == "week":
        return midnight - timedelta(days=midnight.weekday())
    if kind == "month":
        return midnight.replace(day=1)
    return midnight if kind == "day" else datetime(1970, 1, 1, tzinfo=UTC)


def ends(kind: str, second: int) -> int | None:
    """When it ends, found by going on a day at a time."""
    if kind == "total":
        return None
    begin = day = begins(kind, second)
    while begins(kind, int(day.timestamp())) == begin:
        day += timedelta(days=1)
    return int(day.timestamp())


class Entry:
    """One amount that was counted."""

    def __init__(self, key: str, second: int, amount: int, *, is_reservation: bool) -> None:
        self.key = key
        self.second = second
        self.amount = amount
        self.is_reservation = is_reservation


class Oracle:
    """Everything that was ever counted, in a list."""

    def __init__(self, *, has_leases: bool) -> None:
        self._has_leases = has_leases
        self._entries: list[Entry] = []

    def rolling(self, key: str, width: int, now: int) -> int:
        return sum(
            entry.amount
            for entry in self._entries
            if entry.key == key and entry.second // width >= now // width - 60
        )

    def calendar(self, key: str, kind: str, now: int) -> tuple[int, int]:
        """What is used and what is reserved."""
        used = reserved = 0
        for entry in self._entries:
            if entry.key != key or begins(kind, entry.second) != begins(kind, now):
                continue
            if not entry.is_reservation:
                used += entry.amount
            elif not self._has_leases or now // 60 <= (entry.second + LEASE_SECONDS) // 60:
                reserved += entry.amount
        return used, reserved

    def used(self, window: LimitWindow, now: int) -> int:
        width = WIDTHS.get(window.kind)
        if width:
            return self.rolling(window.key, width, now)
        return sum(self.calendar(window.key, window.kind, now))

    def wait(self, window: LimitWindow, amount: int, now: int) -> int:
        width = WIDTHS.get(window.kind)
        if width:
            return self.rolling_wait(window.key, width, window.limit, amount, now)
        used, reserved = self.calendar(window.key, window.kind, now)
        if used + reserved + amount <= window.limit:
            return 0
        end = ends(window.kind, now)
        if used + amount <= window.limit:
            return 5 if end is None else min(5, end - now)
        return -1 if end is None else end - now

    def rolling_wait(self, key: str, width: int, limit: int, amount: int, now: int) -> int:
        leaving = {(entry.second // width + 61) * width for entry in self._entries if entry.key == key}
        for second in sorted({now, *(each for each in leaving if each > now)}):
            if self.rolling(key, width, second) + amount <= limit:
                return second - now
        raise AssertionError("the amount is larger than the limit")

    def reset(self, window: LimitWindow, now: int) -> int:
        width = WIDTHS.get(window.kind)
        if not width:
            end = ends(window.kind, now)
            return -1 if end is None else end - now
        if not self.rolling(window.key, width, now):
            return 0
        newest = max(entry.second // width for entry in self._entries if entry.key == window.key)
        return (newest + 61) * width - now

    def admit(self, question: Question, now: int) -> tuple[int, int, list[Entry], list[Entry]]:
        """The outcome, the seconds, and what was counted for the caller and at the deployment."""
        waits = [self.wait(window, window.amount(question.needs), now) for window in question.windows]
        if any(waits):
            return REFUSED, -1 if -1 in waits else max(waits), [], []
        outcome, least, at_deployment = CALLER_ALONE, 61, []
        for number, capacity in enumerate(question.capacities, 1):
            reserved = min(question.needs.tokens, capacity.token_limit)
            wanted = [
                (capacity.request_key, capacity.request_limit, 1),
                (capacity.token_key, capacity.token_limit, reserved),
            ]
            wait = max(
                self.rolling_wait(key, 1, limit, amount, now) if limit else 0 for key, limit, amount in wanted
            )
            least = min(least, wait)
            outcome = NO_ROOM
            if not wait:
                outcome = number
                at_deployment = [
                    Entry(key, now, amount, is_reservation=True) for key, limit, amount in wanted if limit
                ]
                break
        if outcome == NO_ROOM:
            return NO_ROOM, least, [], []
        callers = [
            Entry(
                window.key,
                now,
                window.amount(question.needs),
                is_reservation=window.unit != "requests" and window.kind not in WIDTHS,
            )
            for window in question.windows
        ]
        self._entries += callers + at_deployment
        return outcome, 0, callers, at_deployment


class InCache:
    """The scripts in a real Valkey."""

    has_leases = True

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._clock = "gatehouse:{limits}:clock"
        time = f"{{redis.call('GET', '{self._clock}'), redis.call('TIME')[2]}}"
        self._scripts = {
            name: client.script_load(script(name).replace("redis.call('TIME')", time))
            for name in ("admit", "settle", "raise", "standing")
        }

    def _run(self, name: str, now: int, *words: Any) -> Any:
        self._client.set(self._clock, now)
        return self._client.evalsha(self._scripts[name], *words)

    def begin(self, windows: list[LimitWindow], now: int) -> None:
        kinds = [word for window in windows for word in (window.kind, 0)]
        self._run("raise", now, len(windows), *(window.key for window in windows), now, 1, *kinds)

    def admit(self, question: Question, now: int) -> Reply:
        return read_reply(self._run("admit", now, *question.words()))

    def settle(self, corrections: list[Correction], now: int) -> None:
        keys = [each.key for each in corrections]
        arguments = [word for each in corrections for word in each[1:]]
        self._run("settle", now, len(keys), *keys, *arguments)

    def standing(self, windows: tuple[LimitWindow, ...], now: int) -> list[list[int]] | None:
        keys, kinds = [window.key for window in windows], [window.kind for window in windows]
        reply = self._run("standing", now, len(keys), *keys, *kinds)
        assert reply[0] == now
        return [reply[i : i + 2] for i in range(1, len(reply), 2)]


class InProcess:
    """What a process does by itself."""

    has_leases = False

    def __init__(self) -> None:
        self._windows = LocalWindows()

    def begin(self, windows: list[LimitWindow], now: int) -> None:
        for window in windows:
            self._windows.begin(window, 0, now)

    def admit(self, question: Question, now: int) -> Reply:
        return self._windows.admit(question, now, processes=1)

    def settle(self, corrections: list[Correction], now: int) -> None:
        self._windows.settle(corrections)

    def standing(self, windows: tuple[LimitWindow, ...], now: int) -> None:
        return None


class Step(NamedTuple):
    """Time passes, a request comes, and one that was admitted before may come to its end."""

    seconds: int
    needs: Needs
    candidates: int
    # Which of those under way ends, and the part of its needs that it used; None is cancelled.
    ends: int | None
    used_percent: int | None


CALLER = Limits(
    requests_per_minute=8,
    tokens_per_minute=4000,
    requests_per_hour=30,
    requests_per_day=40,
    tokens_per_hour=9000,
    tokens_per_day=15_000,
    usd_per_week=0.00004,
    usd_total=0.0003,
)
PROJECT = Limits(tokens_per_week=30_000, tokens_per_month=50_000, usd_per_day=0.00002, usd_per_month=0.00009)
STEPS = st.builds(
    Step,
    seconds=st.sampled_from(
        [
            0,
            0,
            0,
            1,
            1,
            2,
            20,
            59,
            60,
            61,
            600,
            1140,
            1260,
            3599,
            3661,
            40_000,
            86_400,
            7 * 86_400,
            31 * 86_400,
        ]
    ),
    needs=st.builds(Needs, tokens=st.integers(0, 4000), nano_usd=st.integers(0, 20_000)),
    candidates=st.integers(0, 2),
    ends=st.none() | st.integers(0, 5),
    used_percent=st.none() | st.integers(0, 150),
)
# Every year has its month ends and Mondays; some begin a leap year or a year without one.
STARTS = st.sampled_from(
    [
        datetime(2028, 2, 28, 23, 59, 58, tzinfo=UTC),
        datetime(2027, 2, 28, 23, 40, tzinfo=UTC),
        datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC),
        datetime(2026, 11, 22, 23, 50, tzinfo=UTC),
        datetime(2100, 2, 28, 12, tzinfo=UTC),
    ]
) | st.datetimes(datetime(2024, 1, 1), datetime(2120, 1, 1), timezones=st.just(UTC))


@pytest.fixture(scope="module")
def client(shared_valkey: Valkey) -> Iterator[redis.Redis]:
    with redis.Redis("127.0.0.1", shared_valkey.port, username="gateway", password=CACHE_PASSWORD) as client:
        yield client


def follow(windows_kept: InCache | InProcess, start: datetime, steps: list[Step]) -> None:
    """Do the same here and by the rules, and compare all there is to see."""
    oracle, now, example = Oracle(has_leases=windows_kept.has_leases), int(start.timestamp()), next(_examples)
    windows = windows_of(
        [(Subject("caller", f"{example}", None), CALLER), (Subject("project", f"{example}", None), PROJECT)]
    )
    capacities = tuple(
        Capacity(f"{{limits}}:{example}:r{n}", requests, f"{{limits}}:{example}:t{n}", tokens)
        for n, (requests, tokens) in enumerate([(3, 3000), (0, 5000)])
    )
    windows_kept.begin([window for window in windows if window.is_calendar], now)
    under_way: list[tuple[CallerReservation, Reservation | None, list[Entry], list[Entry]]] = []
    for step in steps:
        now += step.seconds
        question = Question(windows, capacities[: step.candidates], step.needs)
        before = [oracle.used(window, now) for window in windows]
        waits = [oracle.wait(window, window.amount(step.needs), now) for window in windows]
        outcome, seconds, callers, at_deployment = oracle.admit(question, now)
        reply = windows_kept.admit(question, now)
        assert (reply.outcome, reply.seconds, reply.second) == (outcome, seconds, now)
        assert [state.wait for state in reply.states] == waits
        used = [oracle.used(window, now) for window in windows]
        assert [state.used for state in reply.states] == used
        assert [state.reset for state in reply.states] == [oracle.reset(window, now) for window in windows]
        standing = windows_kept.standing(windows, now)
        if standing is not None:
            assert standing == [[used[i], oracle.reset(window, now)] for i, window in enumerate(windows)]
        if outcome in (NO_ROOM, REFUSED):
            assert used == before
        else:
            held = tuple(zip(windows, (state.born for state in reply.states), strict=True))
            reservation = None
            if outcome > 0:
                capacity = question.capacities[outcome - 1]
                reservation = Reservation(
                    capacity.request_key if capacity.request_limit else None,
                    capacity.token_key,
                    min(step.needs.tokens, capacity.token_limit),
                    now,
                    False,
                )
            caller_reservation = CallerReservation(held, step.needs, now, False)
            under_way.append((caller_reservation, reservation, callers, at_deployment))
        if step.ends is not None and step.ends < len(under_way):
            ended = under_way.pop(step.ends)
            end(windows_kept, ended, now, windows, step.used_percent)


def end(
    windows_kept: InCache | InProcess,
    ended: tuple[CallerReservation, Reservation | None, list[Entry], list[Entry]],
    now: int,
    windows: tuple[LimitWindow, ...],
    used_percent: int | None,
) -> None:
    caller_reservation, reservation, callers, at_deployment = ended
    needs = caller_reservation.needs
    used = None
    if used_percent is not None:
        used = Needs(needs.tokens * used_percent // 100, needs.nano_usd * used_percent // 100)
    windows_kept.settle(callers_corrections(caller_reservation, used), now)
    for window, entry in zip(windows, callers, strict=True):
        entry.amount = 0 if used is None else window.amount(used)
        entry.is_reservation = False
    if reservation is None:
        return
    used_tokens = 0 if used is None else used.tokens
    corrections = capacity_corrections(reservation, used_tokens, is_cancelled=used is None)
    windows_kept.settle(corrections, now)
    for entry in at_deployment:
        if entry.key == reservation.token_window:
            entry.amount = used_tokens
        elif used is None:
            entry.amount = 0


_usual = settings(
    deadline=None,
    derandomize=True,
    max_examples=80,
    # Each example is a conversation with a server: to shrink one takes minutes and tells little.
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
# A step is five questions to a server, which say the same as a process's.
_in_cache = settings(_usual, max_examples=40)
_LARGE = [Step(0, Needs(2000, 9000), 2, None, None) for _ in range(4)]


@_in_cache
@given(start=STARTS, steps=st.lists(STEPS, min_size=5, max_size=40))
@example(start=datetime(2026, 11, 20, tzinfo=UTC), steps=_LARGE)
def test_the_cache_keeps_the_rules(client: Any, start: datetime, steps: list[Step]) -> None:
    follow(InCache(client), start, steps)


@_usual
@given(start=STARTS, steps=st.lists(STEPS, min_size=5, max_size=40))
def test_a_process_by_itself_keeps_the_rules(start: datetime, steps: list[Step]) -> None:
    follow(InProcess(), start, steps)


def test_the_largest_amounts_are_counted_to_the_last_unit(client: Any) -> None:
    """The largest limits that can be set, and a little more than them."""
    kept, now = InCache(client), 1_800_000_000
    limits = Limits(tokens_per_minute=10**15, tokens_per_day=10**15, usd_total=1_000_000)
    windows = windows_of([(Subject("caller", "large", None), limits)])
    assert [window.limit for window in windows] == [10**15, 10**15, 1_000_000 * NANO_USD]
    kept.begin([window for window in windows if window.is_calendar], now)
    first = kept.admit(Question(windows, (), Needs(10**15 - 1, 10**15 - 1)), now)
    assert [state.used for state in first.states] == [10**15 - 1] * 3
    born = [state.born for state in first.states]
    held = CallerReservation(
        tuple(zip(windows, born, strict=True)), Needs(10**15 - 1, 10**15 - 1), now, False
    )
    kept.settle(callers_corrections(held, Needs(10**15 - 2, 10**15 - 2)), now)
    assert kept.admit(Question(windows, (), Needs(3, 3)), now).outcome == REFUSED
    second = kept.admit(Question(windows, (), Needs(2, 2)), now)
    assert [state.used for state in second.states] == [10**15] * 3


def test_limits_all_have_windows_of_their_own() -> None:
    limits = Limits(tokens_per_day=1)
    subjects = [
        Subject(kind, id, model)
        for kind in ("caller", "project")
        for id in ("a", "a|b", "|a", "a:b", "b|a", "caller:a")
        for model in (None, "a", "a:b", "b")
    ]
    keys = [window.key for window in windows_of([(subject, limits) for subject in subjects])]
    assert len(set(keys)) == len(subjects)
    assert all(key.startswith("gatehouse:{limits}:") for key in keys)
