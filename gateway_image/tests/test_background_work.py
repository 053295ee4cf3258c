"""Work beside the requests, such as fetching credentials again."""

import asyncio
import io
import json

import pytest

from gateway import process
from gateway.structured_log import StructuredLog

pytestmark = pytest.mark.anyio


async def test_work_that_fails_is_logged_and_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_RESTART_SECONDS", 0)
    again = asyncio.Event()
    attempts = 0

    async def work() -> None:
        nonlocal attempts
        attempts += 1
        if attempts == 1:
            raise RuntimeError("odd")
        again.set()

    output = io.BytesIO()
    async with process._in_background(StructuredLog(output, "info"), work), asyncio.timeout(5):
        await again.wait()
    assert json.loads(output.getvalue())["event"] == "background_task_failed"
