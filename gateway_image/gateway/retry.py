"""Trying again what failed for a moment, for calls that no caller's request waits for."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

_ATTEMPTS = 5
_FIRST_PAUSE_SECONDS = 0.2

T = TypeVar("T")


async def with_retries(attempt: Callable[[], Awaitable[T]], *, retry_on: type[Exception]) -> T:
    """Return what the first successful attempt returns; the last of five raises what it raises.

    The pauses double from 0.2 s on and are shortened at random, so that tasks that failed together do not
    come back together.
    """
    for number in range(_ATTEMPTS - 1):
        try:
            return await attempt()
        except retry_on:
            await asyncio.sleep(random.uniform(0, _FIRST_PAUSE_SECONDS * 2**number))  # noqa: S311 (no secret)
    return await attempt()
