"""A router whose clock, counters and outcomes a test sets: nothing waits and nothing is sent."""

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any

import pytest

from gateway.admission.outcome import Admitted, CallerReservation, Needs, Reservation
from gateway.call import Call
from gateway.callers import Caller
from gateway.catalog import Catalog, Deployment
from gateway.errors import GatewayError
from gateway.routing.cooldown import Cooldown
from gateway.routing.plan import Plan, Target
from gateway.routing.router import Router
from gateway.routing.states import DeploymentState, States

# What the wall clock shows when the monotonic one shows 0.
WALL_CLOCK_OFFSET = 1_700_000_000.0


class World:
    """Everything around a router, in memory.

    now: the monotonic clock. full: the deployments at capacity. seconds: how long every attempt takes.
    answers: the errors of deployments, by name; the others answer.
    """

    def __init__(self) -> None:
        self.now = 1000.0
        self.told: list[Cooldown] = []
        self.pauses: list[float] = []
        self.full: set[str] = set()
        self.questions: list[tuple[str | None, list[str], int]] = []
        self.settled: list[tuple[str | None, int, int]] = []
        self.needs: list[Needs] = []
        self.caller_reservation: CallerReservation | None = None
        self.settled_callers: list[tuple[Needs, Needs]] = []
        self.cancelled: list[str | None] = []
        self.caller_refused: GatewayError | None = None
        self.answers: dict[str, GatewayError] = {}
        self.seconds = 0.0
        self._adopted: dict[str, DeploymentState] = {}
        self.states = States(self, clock=lambda: self.now, wall_clock=lambda: self.now + WALL_CLOCK_OFFSET)

    def tell(self, cooldown: Cooldown) -> None:
        self.told.append(cooldown)

    async def admit(
        self, caller: Caller | None, candidates: Sequence[Deployment], *, model: str, needs: Needs
    ) -> Admitted:
        tokens = needs.tokens
        self.needs.append(needs)
        of_caller = self.caller_reservation if caller else None
        self.questions.append((caller.name if caller else None, [d.name for d in candidates], tokens))
        if caller and self.caller_refused:
            raise self.caller_refused
        for index, deployment in enumerate(candidates):
            if deployment.name not in self.full:
                reservation = Reservation(None, deployment.name, tokens, int(self.now), local=True)
                limited = deployment.capacity.tokens_per_minute is not None
                return Admitted(
                    index,
                    int(self.now),
                    reservation=reservation if limited else None,
                    caller_reservation=of_caller,
                )
        return Admitted(
            None, int(self.now), retry_after_seconds=20, caller_reservation=None if candidates else of_caller
        )

    def settle(self, reservation: Reservation, *, used_tokens: int) -> None:
        self.settled.append((reservation.token_window, reservation.tokens, used_tokens))

    def settle_caller(self, reservation: CallerReservation, used: Needs) -> None:
        self.settled_callers.append((reservation.needs, used))

    def cancel(self, reservation: Reservation) -> None:
        self.cancelled.append(reservation.token_window)

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds

    def router(self, *models: Mapping[str, Any], seed: int = 1) -> Router:
        catalog = Catalog.model_validate({"models": models})
        router = Router(catalog, self.states, self, random=Random(seed), sleep=self.sleep)
        # Adopted again as they are: the same states as the router has.
        self._adopted = self.states.adopt(d for model in catalog.models for d in model.deployments)
        return router

    def state(self, name: str) -> DeploymentState:
        return self._adopted[name]

    def cool(self, name: str, error: GatewayError) -> None:
        self.states.failed(self.state(name), error, began=self.now)

    async def run(self, plan: Plan) -> list[str]:
        """Try targets as the gateway does, until one answers; returns the deployments called."""
        called = []
        while (target := await plan.next()) is not None:
            called.append(target.deployment.name)
            if self.attempt(plan, target):
                return called
        return called

    def attempt(self, plan: Plan, target: Target) -> bool:
        self.now += min(self.seconds, max(target.seconds_left, 0))
        error = self.answers.get(target.deployment.name)
        if error is None:
            plan.succeeded(target, seconds=self.seconds, first_token_seconds=self.seconds / 2)
            return True
        plan.failed(target, error)
        return False


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture(scope="session")
def new_world() -> Callable[[], World]:
    """For tests that need a world for each of many examples."""
    return World


@pytest.fixture
def model() -> Callable[..., dict[str, Any]]:
    """Makes a model of the catalog from its name and its deployments' names, or more than their names."""

    def make(name: str, *deployments: str | Mapping[str, Any], **fields: Any) -> dict[str, Any]:
        described = [{"name": d} if isinstance(d, str) else dict(d) for d in deployments]
        return {"name": name, "deployments": [_BEDROCK | d for d in described], **fields}

    return make


_BEDROCK = {"provider": "bedrock", "region": "us-east-1", "model_id": "amazon.nova-micro-v1:0"}


@pytest.fixture
def call() -> Callable[..., Call]:
    def make(model: str = "m", body: bytes = b"{}", **fields: Any) -> Call:
        return Call(fields.pop("operation", "chat_completions"), model, body, **fields)

    return make


@pytest.fixture
def caller() -> Caller:
    return Caller("bootstrap:ann", "ann", "bootstrap")


@pytest.fixture
def error() -> Callable[..., GatewayError]:
    """Makes a provider's error of a status."""

    def make(status: int, retry_after_seconds: int | None = None, message: str = "") -> GatewayError:
        return GatewayError(
            status,
            message or f"status {status}",
            type="api_error",
            code=f"code_{status}",
            retry_after_seconds=retry_after_seconds,
            detail=f"detail of {status}",
        )

    return make
