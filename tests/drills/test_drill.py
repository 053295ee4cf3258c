"""A region is killed under load, and the plan of the synthesized environment moves its callers."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from local.drill.drill import Result, run
from local.drill.pages import write
from local.drill.plan import plan_of
from local.drill.scenario import scenario
from operations.assembly import Stack


@pytest.fixture(scope="module")
def result(recovery_stack: Stack) -> Result:
    """One drill of little load: what is lost is an operator's first try of a step, too."""
    small = replace(
        scenario(7),
        callers=3,
        workers=1,
        gateways=1,
        seconds_before=1.0,
        seconds_after=0.5,
        name_seconds=1.0,
    )
    return run(small, plan_of({"Standby-Recovery": recovery_stack}), lambda _: None)


def test_everything_that_a_drill_must_have_came_out(result: Result) -> None:
    assert result.missed == ()
    assert result.measured.acknowledged > 10
    assert result.measured.failed_attempts > 0


def test_the_steps_of_the_plan_ran_as_in_a_forced_failover(result: Result) -> None:
    assert {step.name: step.status for step in result.report.steps} == {
        "move-traffic": "completed",
        "fence-old-region": "skipped",
        "open-region": "completed",
        "prepare": "completed",
        "scale-gateways": "completed",
        "await-replica": "skipped",
        "route-objects": "completed",
        "promote-database": "completed",
        "verify": "completed",
    }


def test_a_step_that_failed_twice_was_tried_again(result: Result) -> None:
    (promotion,) = (step for step in result.report.steps if step.name == "promote-database")
    assert promotion.error == "the database's state does not allow it now"


def test_the_old_region_became_the_standby(result: Result) -> None:
    assert result.measured.protection_seconds is not None


def test_the_pages_tell_it(result: Result, tmp_path: Path) -> None:
    page = write(tmp_path, [result])
    assert "All met" in page.read_text()
    assert 'href="seed-7.html"' in page.read_text().replace("'", '"')
    assert {path.name for path in tmp_path.iterdir()} == {
        *(f"seed-7.{suffix}" for suffix in ("html", "md", "json")),
        *(f"drills.{suffix}" for suffix in ("html", "md", "json")),
    }
    (told,) = json.loads((tmp_path / "drills.json").read_text())
    assert told["missed"] == []
    assert told["measured"]["acknowledged"] == result.measured.acknowledged
