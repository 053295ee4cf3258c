"""Figures as a measurement would bring them."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from bench.endurance import Endurance
from bench.gatehouse import gatehouse
from bench.measure import Figures
from bench.peers import LITELLM, NGINX, PORTKEY, TENSORZERO
from bench.scaling import Scaling
from bench.targets import Results

MakeFigures = Callable[..., Figures]


@pytest.fixture
def make_figures() -> MakeFigures:
    usual = Figures(
        cpu_ms_per_request=0.4,
        requests_per_second=2000,
        added_p50_ms=1.5,
        added_p99_ms=5,
        cpu_ms_per_stream=4,
        memory_mb=50,
        ready_seconds=0.6,
        cache_commands_per_request=2,
    )
    return lambda **changed: replace(usual, **changed)


@pytest.fixture
def results(make_figures: MakeFigures) -> Results:
    """Everything measured, every requirement met and no aim reached."""
    return Results(
        figures={
            gatehouse().name: make_figures(),
            NGINX.name: make_figures(
                cpu_ms_per_request=0.02, added_p50_ms=0.5, added_p99_ms=1.5, cpu_ms_per_stream=3
            ),
            TENSORZERO.name: make_figures(cpu_ms_per_request=0.2),
            PORTKEY.name: make_figures(cpu_ms_per_request=1.2),
            LITELLM.name: make_figures(cpu_ms_per_request=20, requests_per_second=50),
        },
        reasons={},
        endurance=Endurance(requests=1_000_000, memory_mb=100, growth_mb=2),
        scaling=Scaling(
            cpu_ms_per_request_of_one=0.4,
            cpu_ms_per_request_of_two=0.42,
            busiest_share=0.52,
            requests_per_second_of_one=2000,
            requests_per_second_of_two=2500,
        ),
    )
