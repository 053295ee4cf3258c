"""How long a deployment is left alone, what ends that, and what processes tell each other."""

from typing import Any

import pytest

from gateway.errors import MODEL_FAILED
from gateway.routing.cooldown import RECOVERED, Cooldown

WALL_CLOCK_OFFSET = 1_700_000_000.0


@pytest.fixture(autouse=True)
def router(world: Any, model: Any) -> None:
    world.router(model("m", "a", "b"))


def cooling_seconds(world: Any, name: str = "a") -> float:
    return max(float(world.state(name).cooling_until - world.now), 0)


@pytest.mark.parametrize(
    ("status", "retry_after_seconds", "seconds"),
    [
        (429, None, 30),
        (429, 7, 7),
        (429, 0, 0),
        (503, None, 2),
        (503, 40, 40),
        (408, None, 2),
        (504, None, 2),
    ],
)
def test_the_first_failure(
    world: Any, error: Any, status: int, retry_after_seconds: int | None, seconds: float
) -> None:
    world.cool("a", error(status, retry_after_seconds))
    assert cooling_seconds(world) == seconds
    assert cooling_seconds(world, "b") == 0


def test_what_a_model_makes_of_one_request_cools_nothing(world: Any, error: Any) -> None:
    """Or one caller's prompt could take a model away from all others."""
    failed = error(502)
    failed.code = MODEL_FAILED
    world.cool("a", failed)
    assert cooling_seconds(world) == 0


def test_each_failure_doubles_the_cooldown_up_to_five_minutes(world: Any, error: Any) -> None:
    seconds = []
    for _ in range(12):
        world.cool("a", error(500))
        seconds.append(cooling_seconds(world))
        world.now = world.state("a").cooling_until
    assert seconds == [2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300, 300]


def test_throttling_is_no_failure_that_doubles(world: Any, error: Any) -> None:
    for _ in range(3):
        world.cool("a", error(429))
        assert cooling_seconds(world) == 30
        world.now += 30
    world.cool("a", error(500))
    assert cooling_seconds(world) == 2


def test_a_mistaken_retry_after_does_not_end_a_deployment(world: Any, error: Any) -> None:
    world.cool("a", error(429, 1_700_000_000))
    assert cooling_seconds(world) == 3600


def test_a_cooldown_is_not_shortened_by_a_later_failure(world: Any, error: Any) -> None:
    world.cool("a", error(503, 100))
    world.now += 1
    world.cool("a", error(429, 1))
    assert cooling_seconds(world) == 99


def test_attempts_that_were_under_way_together_fail_as_one(world: Any, error: Any) -> None:
    began = world.now
    for _ in range(20):
        world.now += 0.01
        world.states.failed(world.state("a"), error(502), began=began)
    assert world.state("a").failures == 1
    assert cooling_seconds(world) == pytest.approx(2, abs=0.2)
    assert len(world.told) == 1
    world.states.failed(world.state("a"), error(429, 60), began=began)
    assert cooling_seconds(world) == 60
    assert len(world.told) == 2


def test_attempts_that_fail_together_during_a_longer_cooldown_fail_as_one(world: Any, error: Any) -> None:
    world.cool("a", error(503, 100))
    began = world.now = world.now + 1
    for _ in range(5):
        world.now += 0.01
        world.states.failed(world.state("a"), error(500), began=began)
    assert world.state("a").failures == 2


def test_one_success_ends_it_all_and_is_told(world: Any, error: Any) -> None:
    for _ in range(4):
        world.cool("a", error(500))
    world.told.clear()
    world.now += 1
    world.states.succeeded(world.state("a"), began=world.now, seconds=1, first_token_seconds=None)
    assert cooling_seconds(world) == 0
    assert world.told == [Cooldown("a", 0, 0, "failing")]
    world.cool("a", error(500))
    assert cooling_seconds(world) == 2


def test_a_success_while_all_is_well_is_not_told(world: Any) -> None:
    world.states.succeeded(world.state("a"), began=world.now, seconds=1, first_token_seconds=None)
    assert world.told == []


def test_an_answer_that_was_under_way_before_the_trouble_does_not_end_it(world: Any, error: Any) -> None:
    began = world.now
    world.now += 5
    world.cool("a", error(429))
    world.now += 5
    world.states.succeeded(world.state("a"), began=began, seconds=10, first_token_seconds=None)
    assert cooling_seconds(world) == 25


def test_a_cooldown_is_told_by_the_wall_clock(world: Any, error: Any) -> None:
    world.cool("a", error(503, 12))
    assert world.told == [Cooldown("a", world.now + 12 + WALL_CLOCK_OFFSET, 1, "failing")]


def test_a_cooldown_that_another_process_tells_counts_as_ones_own(world: Any, error: Any) -> None:
    world.states.learn(Cooldown("a", world.now + WALL_CLOCK_OFFSET + 8, 3, "failing"))
    assert cooling_seconds(world) == pytest.approx(8)
    assert [state.name for state in world.states.cooling()] == ["a"]
    assert world.told == []
    world.cool("a", error(500))
    assert cooling_seconds(world) == 16


def test_what_others_tell_shortens_no_cooldown(world: Any, error: Any) -> None:
    world.cool("a", error(429))
    world.states.learn(Cooldown("a", world.now + WALL_CLOCK_OFFSET + 2, 1, "failing"))
    assert cooling_seconds(world) == 30


def test_a_recovery_that_another_process_tells_ends_a_cooldown(world: Any, error: Any) -> None:
    world.cool("a", error(500))
    world.states.learn(Cooldown("a", RECOVERED, 0, "failing"))
    assert cooling_seconds(world) == 0
    assert world.state("a").failures == 0


def test_a_cooldown_that_is_heard_of_when_it_is_over_is_no_recovery(world: Any, error: Any) -> None:
    world.cool("a", error(500))
    world.states.learn(Cooldown("a", world.now + WALL_CLOCK_OFFSET - 1, 0, "throttled"))
    assert cooling_seconds(world) == 2
    assert world.state("a").failures == 1


def test_the_echo_of_what_it_told_changes_nothing(world: Any, error: Any) -> None:
    world.cool("a", error(503, 60))
    world.now += 1
    world.states.learn(world.told[0])
    assert cooling_seconds(world) == pytest.approx(59)
    # Begun after the failure and before its echo: it shows that the trouble is over.
    world.states.succeeded(world.state("a"), began=world.now - 0.5, seconds=1, first_token_seconds=None)
    assert cooling_seconds(world) == 0


def test_what_is_told_before_the_catalog_is_there_is_not_lost(world: Any, model: Any) -> None:
    for name in ("c", "d"):
        world.states.learn(Cooldown(name, world.now + WALL_CLOCK_OFFSET + 8, 2, "failing"))
    world.router(model("m", "a", "c"))
    assert cooling_seconds(world, "c") == pytest.approx(8)
    assert world.state("c").failures == 2
    # Of those that this catalog lacks nothing is kept.
    assert [state.name for state in world.states.cooling()] == ["c"]


def test_an_attempt_that_outlives_its_deployment_is_not_held_against_the_next_of_that_name(
    world: Any, model: Any, error: Any
) -> None:
    former = world.state("a")
    world.router(model("m", {"name": "a", "region": "us-west-2"}))
    world.states.failed(former, error(500), began=world.now)
    assert world.told == []
    assert cooling_seconds(world, "a") == 0


def test_states_survive_a_new_catalog_for_deployments_that_stay_what_they_are(
    world: Any, model: Any, error: Any
) -> None:
    for name in ("a", "b"):
        world.cool(name, error(429))
    heavier = {"name": "a", "weight": 9, "tier": 3, "capacity": {"requests_per_minute": 5}}
    world.router(model("m", heavier, {"name": "b", "region": "us-west-2"}, "c"))
    assert cooling_seconds(world, "a") == 30
    assert cooling_seconds(world, "b") == 0
    world.router(model("m", "c"))
    world.router(model("m", heavier))
    assert cooling_seconds(world, "a") == 0
