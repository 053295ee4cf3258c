"""Seeds tell scenarios: the same for ever, each fault once in ten."""

import pytest

from local.drill.scenario import SEEDS, TOLD, scenario


@pytest.mark.parametrize("first", [0, 10, 990])
def test_ten_seeds_have_each_fault_once(first: int) -> None:
    assert [scenario(seed).fault for seed in range(first, first + len(SEEDS))] == list(TOLD)


def test_a_seed_tells_the_same_scenario_again() -> None:
    assert scenario(13) == scenario(13)
    assert scenario(3) != scenario(13)


def test_only_what_no_health_check_sees_is_left_to_people_who_fail_over_without_loss() -> None:
    by_people = {each.fault: each.mode for each in map(scenario, SEEDS) if each.is_noticed_by_people}
    assert by_people == {"database hangs": "graceful", "database slows": "graceful"}
    assert {each.mode for each in map(scenario, SEEDS) if not each.is_noticed_by_people} == {"ungraceful"}


def test_the_replica_lags_less_than_may_be_lost() -> None:
    late = {seed: scenario(seed).line_seconds for seed in range(1000)}
    assert all((late[seed] > 0) == (scenario(seed).fault == "replica lags") for seed in late)
    assert max(late.values()) < 3
