"""One request's way through the deployments that could answer it."""

import math
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from random import Random

import msgspec

from gateway.admission.outcome import Admitted, Allowances, CallerReservation, Needs, Reservation
from gateway.call import Call
from gateway.callers import Caller
from gateway.catalog import Deployment, Model
from gateway.errors import GatewayError
from gateway.routing.admission import Admission
from gateway.routing.needs import highest_needs
from gateway.routing.pools import Pool, RoutedModel
from gateway.routing.retries import Retries
from gateway.routing.states import States
from gateway.routing.strategies import Candidate, Candidates
from gateway.routing.verdict import at_capacity, can_be_tried_elsewhere, is_timeout, out_of_time, verdict_on

Sleep = Callable[[float], Awaitable[None]]


class Target(msgspec.Struct, frozen=True):
    """A deployment to try, and the terms of the attempt.

    model: the one the deployment belongs to, which is another than asked for after a fallback.
    seconds_left: how long the attempt may take until its answer begins (streamed) or is there (whole).
    reservation: of the deployment's capacity, if that is limited.
    began: on the clock of the states.
    was_cooling: it was to be left alone, and is tried because nothing better is left.
    """

    model: Model
    deployment: Deployment
    seconds_left: float
    reservation: Reservation | None
    began: float
    was_cooling: bool
    candidate: Candidate


@dataclass(frozen=True, slots=True)
class Means:
    """What the plans of all requests share."""

    states: States
    admission: Admission
    random: Random
    sleep: Sleep


class Plan:
    """The attempts of one request, one after the other.

    Each target must be reported back, once, before the next one is asked for.
    attempts: how many deployments have been called, those not counted that were unsuitable.
    allowances: what the caller has left of its limits, if it has any. admitted_at: when the request was
    counted against them, in Unix time; None as long as it is not.
    """

    def __init__(self, models: Sequence[RoutedModel], call: Call, caller: Caller, means: Means) -> None:
        """Plan for the model asked for, the first, with the models that may stand in for it behind it."""
        self.attempts = 0
        self.allowances: Allowances | None = None
        self.admitted_at: int | None = None
        self._models = models
        self._asked_for = models[0].model
        self._call = call
        self._caller = caller
        self._means = means
        self._clock = means.states.clock
        self._deadline = self._clock() + self._asked_for.deadline_seconds
        self._reservation: CallerReservation | None = None
        self._needs: Needs | None = None
        self._pools: list[Pool] = []
        # Deployments, by name, that have been tried or cannot serve the call.
        self._passed_over: set[str] = set()
        self._unsuitable: set[str] = set()
        # Models, by name, of which a deployment has been tried although it was cooling.
        self._last_resorts: set[str] = set()
        self._retries = Retries(means.random)
        self._errors: list[GatewayError] = []
        self._refusal: GatewayError | None = None
        # On the clock of the states: when the first deployment of those at capacity has some again.
        self._capacity_back_at = math.inf

    async def admit_caller(self) -> None:
        """Count the request although no deployment may be needed; raises GatewayError as `next` does."""
        self._note(await self._ask([]))

    def settle(self, used: Needs) -> None:
        """Count what the request used, at all deployments together, against the caller's limits."""
        if self._reservation is not None:
            self._means.admission.settle_caller(self._reservation, used)
            self._reservation = None

    async def next(self) -> Target | None:
        """The deployment to try now, None if nothing is left to try; may wait before.

        Raises GatewayError 429 if the caller has used up its limits, 503 if they cannot be enforced.
        """
        spent = self.attempts >= self._asked_for.max_attempts or self._clock() >= self._deadline
        if spent or self._refusal is not None:
            return None
        return await self._untried() or await self._once_more()

    def succeeded(
        self, target: Target, *, seconds: float, first_token_seconds: float, used_tokens: int | None = None
    ) -> None:
        """Note that an attempt led to an answer that has come to its proper end.

        used_tokens: all that the request used; None if unknown, when what was reserved stays counted.
        """
        self._end(target, used_tokens)
        self._means.states.succeeded(
            target.candidate.state,
            began=target.began,
            seconds=seconds,
            # An answer that is not streamed shows nothing of when its first token was there.
            first_token_seconds=first_token_seconds if self._call.stream else None,
        )

    def failed(self, target: Target, error: GatewayError, *, used_tokens: int = 0) -> None:
        """Note why an attempt did not lead to an answer, or to a part of one only."""
        self._end(target, used_tokens)
        if not can_be_tried_elsewhere(error):
            self._refuse(target, error)
            return
        self._errors.append(error)
        if self._was_cut_short(target, error):
            return
        self._means.states.failed(target.candidate.state, error, began=target.began)
        if target.was_cooling:
            self._last_resorts.add(target.model.name)
        else:
            not_before = self._clock() + (error.retry_after_seconds or 0)
            self._retries.add(target.candidate, not_before=not_before)

    def unsuitable(self, target: Target, error: GatewayError) -> None:
        """Note that a deployment cannot do what the call asks for, so that it was not called."""
        target.candidate.state.in_flight -= 1
        if target.reservation is not None:
            self._means.admission.cancel(target.reservation)
        self.attempts -= 1
        self._unsuitable.add(target.deployment.name)
        # Nothing of what was asked for can do it: that is for the caller to know, not for a stand-in to hide.
        if self._unsuitable.issuperset(c.state.name for c in self._pools[0].candidates):
            self._refusal = error

    def abandoned(self, target: Target, *, answer_begun: bool = False) -> None:
        """Note that the caller, or this process, ended an attempt, so that its outcome is not known."""
        self._end(target, None)
        self._means.states.abandoned(target.candidate.state, began=target.began, answer_begun=answer_begun)

    def verdict(self) -> GatewayError:
        """What to tell the caller when nothing is left to try."""
        if self._refusal is not None:
            return self._refusal
        if self._errors:
            return verdict_on(self._errors, retry_after_seconds=self._retry_after_seconds())
        if self._capacity_back_at < math.inf:
            return at_capacity(self._asked_for.name, retry_after_seconds=self._retry_after_seconds())
        return out_of_time(self._asked_for.name, self._asked_for.deadline_seconds)

    async def _untried(self) -> Target | None:
        """The best deployment that is not cooling; else, once for each model, one that is."""
        for model, pool in self._ways():
            now = self._clock()
            free = pool.free(self._call, now, self._passed_over)
            target = await self._admit(free, was_cooling=False)
            if target is None and model.name not in self._last_resorts:
                # While a request waits there, perhaps in vain, others turn to a stand-in at once.
                idle = [c for c in pool.cooling(now, self._passed_over) if not c.state.in_flight]
                target = await self._admit(idle, was_cooling=True)
            if target is not None:
                return target
        return await self._untried_and_busy()

    async def _untried_and_busy(self) -> Target | None:
        """A deployment that is cooling and has requests under way, once for each model."""
        for model, pool in self._ways():
            if model.name not in self._last_resorts:
                busy = pool.cooling(self._clock(), self._passed_over)
                if (target := await self._admit(busy, was_cooling=True)) is not None:
                    return target
        return None

    async def _once_more(self) -> Target | None:
        """A deployment that failed before, after a pause, unless another has become free in the meantime."""
        now = self._clock()
        pause = self._retries.next_pause(now)
        if pause is None or now + pause >= self._deadline:
            return None
        await self._means.sleep(pause)
        return await self._untried() or await self._admit(self._retries.due(now + pause), was_cooling=False)

    def _ways(self) -> Iterator[tuple[Model, Pool]]:
        """The models with the deployments that may serve the call there, found out when they are needed."""
        for position, routed in enumerate(self._models):
            if position == len(self._pools):
                self._pools.append(routed.pool(self._call, self._caller))
            yield routed.model, self._pools[position]

    async def _admit(self, candidates: Candidates, *, was_cooling: bool) -> Target | None:
        """The first of the candidates that has capacity left, taken up; None if none has."""
        if not candidates:
            return None
        admitted = await self._ask([candidate.deployment for candidate in candidates])
        now = self._clock()
        if admitted.index is None:
            back_at = now + (admitted.retry_after_seconds or 0)
            self._capacity_back_at = min(self._capacity_back_at, back_at)
            return None
        self._note(admitted)
        return self._begin(candidates[admitted.index], admitted.reservation, now, was_cooling)

    async def _ask(self, deployments: Sequence[Deployment]) -> Admitted:
        if self._needs is None:
            self._needs = highest_needs(self._call, self._caller, [routed.model for routed in self._models])
        caller = self._caller if self.admitted_at is None else None
        return await self._means.admission.admit(
            caller, deployments, model=self._asked_for.name, needs=self._needs
        )

    def _note(self, admitted: Admitted) -> None:
        """The caller has been counted, now or by an earlier attempt."""
        self.allowances = admitted.allowances or self.allowances
        self._reservation = admitted.caller_reservation or self._reservation
        if self.admitted_at is None:
            self.admitted_at = admitted.second

    def _begin(
        self, candidate: Candidate, reservation: Reservation | None, now: float, was_cooling: bool
    ) -> Target:
        self.attempts += 1
        self._passed_over.add(candidate.state.name)
        candidate.state.in_flight += 1
        return Target(
            candidate.model,
            candidate.deployment,
            self._deadline - now,
            reservation,
            now,
            was_cooling,
            candidate,
        )

    def _end(self, target: Target, used_tokens: int | None) -> None:
        target.candidate.state.in_flight -= 1
        if target.reservation is not None and used_tokens is not None:
            self._means.admission.settle(target.reservation, used_tokens=used_tokens)

    def _refuse(self, target: Target, error: GatewayError) -> None:
        if target.model is self._asked_for:
            self._refusal = error
        else:
            # It says nothing about the model that was asked for; another stand-in may take the request.
            self._passed_over.update(deployment.name for deployment in target.model.deployments)

    def _was_cut_short(self, target: Target, error: GatewayError) -> bool:
        """Whether the deadline ended an attempt for which earlier ones had left too little time."""
        if not is_timeout(error) or self._clock() < self._deadline:
            return False
        limits = target.deployment.time_limits
        limit = limits.first_byte_seconds if self._call.stream else limits.whole_answer_seconds
        return target.seconds_left < min(limit, self._asked_for.deadline_seconds / 2)

    def _retry_after_seconds(self) -> int:
        """When the first deployment that is cooling or at capacity can be asked again; 1 at least."""
        now = self._clock()
        back_at = [
            candidate.state.cooling_until
            for pool in self._pools
            for candidate in pool.candidates
            if candidate.state.cooling_until > now
        ]
        soonest = min([*back_at, self._capacity_back_at])
        return max(math.ceil(soonest - now), 1) if soonest < math.inf else 1
