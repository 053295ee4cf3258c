"""The function that sizes an ECS service: it fences a region, opens it and makes a standby of it."""

from typing import Any

import pytest

from gatehouse.functions.size_service import index
from gatehouse.functions.waiting import NotYetError
from tests.constructs.custom_resources import LAMBDA_SECONDS
from tests.constructs.step_functions import Step


class Ecs:
    """A service; of its tasks that are too many one ends at each look."""

    def __init__(self, *, wanted: int, running: int | None = None, stuck: bool = False) -> None:
        self.wanted = wanted
        self.running = wanted if running is None else running
        self.updates: list[int] = []
        self._stuck = stuck

    def describe_services(self, **asked: Any) -> Any:
        assert asked == {"cluster": "gateways", "services": ["gateway"]}
        described = {"desiredCount": self.wanted, "runningCount": self.running}
        if self.running > self.wanted and not self._stuck:
            self.running -= 1
        return {"services": [described]}

    def update_service(self, **asked: Any) -> None:
        assert asked.keys() == {"cluster", "service", "desiredCount"}
        self.wanted = asked["desiredCount"]
        self.updates.append(self.wanted)


class Scaling:
    """What the bounds of the service were set to; `ecs` had not been told of another count by then."""

    def __init__(self, ecs: Ecs) -> None:
        self.bounds: list[tuple[int, int]] = []
        self._ecs = ecs

    def register_scalable_target(self, **asked: Any) -> None:
        assert asked["ServiceNamespace"] == "ecs"
        assert asked["ResourceId"] == "service/gateways/gateway"
        assert asked["ScalableDimension"] == "ecs:service:DesiredCount"
        assert self._ecs.updates == [], "scaling by its old bounds would undo the new count"
        self.bounds.append((asked["MinCapacity"], asked["MaxCapacity"]))


def _step(monkeypatch: pytest.MonkeyPatch, ecs: Ecs, minimum: int, maximum: int) -> tuple[Step, Scaling]:
    variables = {
        "CLUSTER": "gateways",
        "SERVICE": "gateway",
        "MINIMUM": str(minimum),
        "MAXIMUM": str(maximum),
    }
    step = Step(index, variables, monkeypatch)
    scaling = Scaling(ecs)
    step.clients |= {"ecs": ecs, "application-autoscaling": scaling}
    return step, scaling


def test_a_fence_waits_until_the_last_task_has_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    ecs = Ecs(wanted=6)
    step, scaling = _step(monkeypatch, ecs, 0, 0)
    assert step.run() == {"minimum": 0, "maximum": 0, "running": 0}
    assert scaling.bounds == [(0, 0)]
    assert ecs.updates == [0]


def test_a_fence_says_what_still_runs_before_lambda_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    step, _ = _step(monkeypatch, Ecs(wanted=2, stuck=True), 0, 0)
    began = step.clock.now
    with pytest.raises(NotYetError, match="tasks of gateway that still run: 2"):
        step.run()
    assert step.clock.now - began < LAMBDA_SECONDS


def test_a_fence_that_stands_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    ecs = Ecs(wanted=0)
    step, scaling = _step(monkeypatch, ecs, 0, 0)
    assert step.run()["running"] == 0
    assert ecs.updates == []
    assert scaling.bounds == [(0, 0)]


def test_an_open_region_has_a_full_ones_size_at_the_least(monkeypatch: pytest.MonkeyPatch) -> None:
    ecs = Ecs(wanted=2)
    step, scaling = _step(monkeypatch, ecs, 6, 40)
    assert step.run() == {"minimum": 6, "maximum": 40, "running": 2}
    assert scaling.bounds == [(6, 40)]
    assert ecs.updates == [6]


@pytest.mark.parametrize("wanted", [6, 23, 40])
def test_what_runs_beyond_that_is_left_alone(monkeypatch: pytest.MonkeyPatch, wanted: int) -> None:
    ecs = Ecs(wanted=wanted)
    step, _ = _step(monkeypatch, ecs, 6, 40)
    step.run()
    assert ecs.updates == []


def test_a_fenced_region_becomes_a_standby_again(monkeypatch: pytest.MonkeyPatch) -> None:
    ecs = Ecs(wanted=0)
    step, scaling = _step(monkeypatch, ecs, 2, 40)
    step.run()
    assert scaling.bounds == [(2, 40)]
    assert ecs.updates == [2]
