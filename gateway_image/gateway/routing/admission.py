"""What routing needs of the counters that all processes of the gateway share."""

from collections.abc import Sequence
from typing import Protocol

from gateway.admission.outcome import Admitted, CallerReservation, Needs, Reservation
from gateway.callers import Caller
from gateway.catalog import Deployment


class Admission(Protocol):
    """Counts requests and what they use against the limits of callers and the capacity of deployments."""

    async def admit(
        self, caller: Caller | None, candidates: Sequence[Deployment], *, model: str, needs: Needs
    ) -> Admitted:
        """Count a request at the first candidate with capacity left.

        With index None nothing was counted, not even for the caller: pass the caller until there is an index,
        then None. An empty list of candidates counts for the caller alone: it is for answers that need none.
        model: the one asked for. needs: the most that the request may use, reserved until it is settled.
        Raises GatewayError 429 (LimitExceededError) if a limit of the caller refuses, and 503 if limits
        cannot be enforced and are configured to be closed then.
        """

    def settle(self, reservation: Reservation, *, used_tokens: int) -> None:
        """Count what a request used of a deployment's capacity; returns at once and never raises."""

    def settle_caller(self, reservation: CallerReservation, used: Needs) -> None:
        """Count what a request used instead of what it reserved; returns at once and never raises."""

    def cancel(self, reservation: Reservation) -> None:
        """Count nothing at the deployment, which was not called; returns at once and never raises."""
