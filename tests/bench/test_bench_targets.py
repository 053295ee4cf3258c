from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from bench.gatehouse import gatehouse
from bench.measure import Figures, medians
from bench.peers import LITELLM, NGINX
from bench.targets import TARGETS, Results

if TYPE_CHECKING:
    from tests.bench.conftest import MakeFigures


def _verdicts(results: Results) -> set[str]:
    return {target.verdict(results) for target in TARGETS}


def test_between_must_and_aim_is_a_pass(results: Results) -> None:
    assert _verdicts(results) == {"must"}


def test_a_ratio_is_ours_to_the_peers(results: Results) -> None:
    (target,) = (each for each in TARGETS if "TensorZero" in each.unit)
    assert target.value(results) == pytest.approx(2)


@pytest.mark.parametrize(
    ("changed", "missed"),
    [
        ({"cpu_ms_per_request": 0.7}, {"x ours", "x TensorZero's", "x nginx's"}),
        ({"requests_per_second": 1499}, {"x LiteLLM's"}),
        ({"added_p99_ms": 10.1}, {"ms"}),
        ({"cpu_ms_per_stream": 6.1}, {"ms", "x nginx's"}),
        ({"ready_seconds": 1.1}, {"s"}),
    ],
)
def test_what_is_beyond_a_must_is_missed(
    results: Results, make_figures: "MakeFigures", changed: dict[str, float], missed: set[str]
) -> None:
    figures = {**results.figures, gatehouse().name: make_figures(**changed)}
    worse = replace(results, figures=figures)
    assert {each.unit for each in TARGETS if each.verdict(worse) == "missed"} == missed


def test_a_machine_on_which_nginx_misses_a_limit_too_excuses_nothing(
    results: Results, make_figures: "MakeFigures"
) -> None:
    (absolute, beyond) = (each for each in TARGETS if each.measure.startswith("added latency, p99"))
    figures = {
        **results.figures,
        gatehouse().name: make_figures(added_p99_ms=20),
        NGINX.name: make_figures(added_p99_ms=18),
    }
    slow = replace(results, figures=figures)
    assert absolute.verdict(slow) == "missed"
    assert absolute.is_beyond_floor(slow)
    assert not absolute.is_beyond_floor(results)
    assert beyond.value(slow) == 2


def test_a_worker_that_does_more_than_its_half_limits_both(results: Results) -> None:
    assert results.scaling is not None
    even, uneven = replace(results.scaling, busiest_share=0.5), replace(results.scaling, busiest_share=0.8)
    assert even.factor == pytest.approx(1.9, abs=0.01)
    assert uneven.factor == pytest.approx(1.19, abs=0.01)


def test_what_needs_a_peer_that_is_missing_is_not_measured(results: Results) -> None:
    figures = {name: each for name, each in results.figures.items() if name != LITELLM.name}
    without = replace(results, figures=figures, reasons={LITELLM.name: "no network"})
    assert {each.unit for each in TARGETS if each.verdict(without) == "not measured"} == {
        "x ours",
        "x LiteLLM's",
    }


def test_rounds_are_summed_up_by_the_median(make_figures: "MakeFigures") -> None:
    rounds: list[Figures] = [make_figures(memory_mb=size) for size in (50, 900, 51)]
    assert medians(rounds).memory_mb == 51
