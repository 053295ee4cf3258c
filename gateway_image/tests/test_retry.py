import asyncio

import pytest

from gateway import retry
from gateway.retry import with_retries

pytestmark = pytest.mark.anyio


class Flaky:
    """Fails so many times before it succeeds."""

    def __init__(self, failures: int, error: type[Exception] = ConnectionError) -> None:
        self.calls = 0
        self._failures = failures
        self._error = error

    async def __call__(self) -> str:
        self.calls += 1
        if self.calls <= self._failures:
            raise self._error
        return "done"


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The longest that each pause may take, instead of taking it."""
    found: list[float] = []

    async def sleep(seconds: float) -> None:
        found.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    monkeypatch.setattr(retry.random, "uniform", lambda _low, high: high)  # type: ignore[attr-defined]
    return found


@pytest.mark.parametrize("failures", [0, 1, 4])
async def test_an_attempt_that_succeeds_ends_it(pauses: list[float], failures: int) -> None:
    flaky = Flaky(failures)
    assert await with_retries(flaky, retry_on=ConnectionError) == "done"
    assert flaky.calls == failures + 1
    assert pauses == [0.2, 0.4, 0.8, 1.6][:failures]


async def test_the_fifth_failure_is_told(pauses: list[float]) -> None:
    flaky = Flaky(5)
    with pytest.raises(ConnectionError):
        await with_retries(flaky, retry_on=ConnectionError)
    assert flaky.calls == 5
    assert len(pauses) == 4


async def test_what_is_not_worth_another_attempt_is_told_at_once(pauses: list[float]) -> None:
    flaky = Flaky(1, ZeroDivisionError)
    with pytest.raises(ZeroDivisionError):
        await with_retries(flaky, retry_on=ConnectionError)
    assert (flaky.calls, pauses) == (1, [])
