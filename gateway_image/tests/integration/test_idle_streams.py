"""A thousand streams that are open and silent; bench/idle_streams.py measures ten thousand."""

import resource
from typing import Any

import psutil

from bench import idle_streams


def test_silent_streams_cost_little_and_delay_nobody() -> None:
    result = idle_streams.run(1000)
    assert result.memory_kb_per_stream < 60
    assert result.idle_cpu_percent < 10
    assert result.request_ms_among < 3 * result.request_ms_before + 5


def test_a_low_limit_of_open_files_is_raised(start_gateway: Any) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(1024, soft), hard))
    try:
        gateway = start_gateway()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert psutil.Process(gateway.process.pid).rlimit(psutil.RLIMIT_NOFILE) == (hard, hard)
