"""What holds for every plan, whatever the catalog is and whatever its deployments do."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.call import Call
from gateway.callers import Caller
from gateway.errors import GatewayError
from gateway.routing.plan import Plan, Target

_STATUSES = (200, 400, 408, 429, 500, 503, 504)


@dataclass(frozen=True)
class Outcome:
    """What a deployment does when it is called."""

    status: int
    retry_after_seconds: int | None
    seconds: float

    def error(self) -> GatewayError | None:
        if self.status == 200:
            return None
        return GatewayError(self.status, "x", type="api_error", retry_after_seconds=self.retry_after_seconds)


@dataclass(frozen=True)
class Deployment:
    """A deployment, and how it is when the request comes."""

    tier: int
    weight: int
    full: bool
    unsuitable: bool
    cooling_seconds: int | None
    throttled: bool
    outcomes: tuple[Outcome, ...]


_outcomes = st.builds(
    Outcome,
    st.sampled_from(_STATUSES),
    st.none() | st.integers(0, 40),
    st.sampled_from([0.0, 0.1, 3.0, 20.0]),
)
_deployments = st.builds(
    Deployment,
    tier=st.integers(0, 2),
    weight=st.integers(1, 5),
    full=st.booleans(),
    unsuitable=st.sampled_from([False, False, True]),
    cooling_seconds=st.none() | st.integers(1, 60),
    throttled=st.booleans(),
    outcomes=st.lists(_outcomes, min_size=1, max_size=3).map(tuple),
)
_models = st.lists(st.lists(_deployments, min_size=1, max_size=4), min_size=1, max_size=3)


class Run:
    """A request for the first of some models, the others being its fallbacks."""

    def __init__(
        self, world: Any, models: list[list[Deployment]], strategy: str, limits: tuple[int, int]
    ) -> None:
        self.world = world
        self.deployments = {
            f"m{m}-{d}": deployment for m, model in enumerate(models) for d, deployment in enumerate(model)
        }
        self.max_attempts, self.deadline_seconds = limits
        described = [self._model(m, model, strategy) for m, model in enumerate(models)]
        described[0]["fallbacks"] = [model["name"] for model in described[1:]]
        self.router = world.router(*described)
        self.world.full = {name for name, d in self.deployments.items() if d.full}
        for name, deployment in self.deployments.items():
            if deployment.cooling_seconds is not None:
                status = 429 if deployment.throttled else 503
                world.cool(name, Outcome(status, deployment.cooling_seconds, 0).error())
        self.called: list[str] = []
        self.errors: list[GatewayError] = []
        self.seen: set[str] = set()
        self.answered = False

    def _model(self, number: int, model: list[Deployment], strategy: str) -> dict[str, Any]:
        deployments = [
            {
                "name": f"m{number}-{d}",
                "provider": "bedrock",
                "region": "us-east-1",
                "model_id": "amazon.nova-micro-v1:0",
                "tier": deployment.tier,
                "weight": deployment.weight,
                "capacity": {"requests_per_minute": 1} if deployment.full else {},
            }
            for d, deployment in enumerate(model)
        ]
        kind: dict[str, Any] = {"kind": strategy}
        if strategy == "optimized":
            kind["metric"] = "latency"
        return {
            "name": f"m{number}",
            "deployments": deployments,
            "strategy": kind,
            "max_attempts": self.max_attempts,
            "deadline_seconds": self.deadline_seconds,
        }

    def free(self, model: str) -> Iterator[tuple[str, Deployment]]:
        """The deployments of a model that could be called and have not been looked at yet."""
        for name, deployment in self.deployments.items():
            cooling = self.world.state(name).cooling_until > self.world.now
            if name.startswith(f"{model}-") and not (cooling or deployment.full or name in self.seen):
                yield name, deployment

    async def play(self) -> Plan:
        plan: Plan = self.router.plan(
            Call("chat_completions", "m0", b"{}"), Caller("bootstrap:ann", "ann", "bootstrap")
        )
        self.began = self.world.now
        while (target := await plan.next()) is not None:
            self.check(target)
            deployment = self.deployments[target.deployment.name]
            self.seen.add(target.deployment.name)
            if deployment.unsuitable:
                plan.unsuitable(target, GatewayError(400, "cannot", type="invalid_request_error"))
                continue
            self.called.append(target.deployment.name)
            if self.attempt(plan, target, deployment):
                break
        return plan

    def attempt(self, plan: Plan, target: Target, deployment: Deployment) -> bool:
        times = self.called.count(target.deployment.name)
        outcome = deployment.outcomes[(times - 1) % len(deployment.outcomes)]
        self.world.now += min(outcome.seconds, target.seconds_left)
        error = outcome.error()
        if outcome.seconds > target.seconds_left:
            error = GatewayError(504, "too slow", type="api_error")
        if error is None:
            plan.succeeded(target, seconds=outcome.seconds, first_token_seconds=outcome.seconds)
            self.answered = True
            return True
        plan.failed(target, error)
        self.errors.append(error)
        if error.status == 400 and target.model.name != "m0":
            self.seen.update(name for name in self.deployments if name.startswith(f"{target.model.name}-"))
        return False

    def check(self, target: Target) -> None:
        name, deployment = target.deployment.name, self.deployments[target.deployment.name]
        free = dict(self.free(target.model.name))
        assert not deployment.full
        assert 0 < target.seconds_left <= self.deadline_seconds - (self.world.now - self.began) + 1e-6
        if name in free:
            assert not target.was_cooling
            assert deployment.tier == min(other.tier for other in free.values())
        else:
            # Called again, or while it is cooling: only when no deployment of any model is free up to here.
            models = sorted({n.split("-")[0] for n in self.deployments})
            reached = models if name in self.called else models[: models.index(target.model.name) + 1]
            assert not any(dict(self.free(model)) for model in reached)


@given(
    models=_models,
    strategy=st.sampled_from(["weighted", "fallback", "optimized"]),
    limits=st.tuples(st.integers(1, 5), st.integers(1, 60)),
)
@settings(max_examples=150, deadline=None)
def test_every_plan(
    new_world: Callable[[], Any], models: list[list[Deployment]], strategy: str, limits: tuple[int, int]
) -> None:
    run = Run(new_world(), models, strategy, limits)
    plan = asyncio.run(run.play())
    assert plan.attempts == len(run.called) <= run.max_attempts
    assert run.world.now <= run.began + run.deadline_seconds + 1e-6
    assert all(0 <= pause <= 5 for pause in run.world.pauses)
    assert all(run.world.state(name).in_flight == 0 for name in run.deployments)
    # The caller's own limit is counted exactly once, with the first deployment that takes the request.
    assert [name for name, _, _ in run.world.questions].count("ann") >= 1
    if not run.answered:
        check_verdict(run, plan)


def check_verdict(run: Run, plan: Plan) -> None:
    verdict = plan.verdict()
    statuses = [error.status for error in run.errors]
    first_model = [name for name in run.deployments if name.startswith("m0-")]
    if all(run.deployments[name].unsuitable and name in run.seen for name in first_model):
        assert verdict.status == 400
    elif 400 in statuses and run.called[-1].startswith("m0-") and statuses[-1] == 400:
        assert verdict is run.errors[-1]
    elif retriable := [status for status in statuses if status != 400]:
        faults = [status for status in retriable if status != 429]
        expected = 429 if not faults else 504 if all(s in (408, 504) for s in faults) else 502
        assert verdict.status == expected
    else:
        assert verdict.status == 429
    if verdict.status == 429:
        assert verdict.retry_after_seconds is not None
        assert verdict.retry_after_seconds >= 1
    # Nothing that could have answered was left out, unless attempts or time had run out.
    out_of_time = run.world.now >= run.began + run.deadline_seconds
    if verdict.status != 400 and len(run.called) < run.max_attempts and not out_of_time:
        assert not any(dict(run.free(f"m{m}")) for m in range(3))
