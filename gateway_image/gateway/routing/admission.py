"""What routing needs of the counters that all processes of the gateway share."""

from collections.abc import Sequence
from typing import Protocol

from gateway.admission import Admitted, Reservation
from gateway.api_keys import Caller
from gateway.catalog import Deployment


class Admission(Protocol):
    """Counts requests and tokens against the limits of callers and the capacity of deployments."""

    async def admit(
        self, caller: Caller | None, candidates: Sequence[Deployment], *, tokens: int
    ) -> Admitted:
        """Count a request at the first candidate with capacity left; Admitted.index says which.

        With index None nothing was counted, not even for the caller: pass the caller until there is an index,
        then None. Admitted.allowance makes the caller's rate-limit headers.
        tokens: the most that the request may use, reserved until it is settled.
        Raises GatewayError 429 (LimitExceededError) if the caller's own limit refuses.
        """

    def settle(self, reservation: Reservation, *, used_tokens: int) -> None:
        """Count what a request used instead of what it reserved; returns at once and never raises.

        reservation: Admitted.reservation, if there is one.
        """

    def cancel(self, reservation: Reservation) -> None:
        """Count nothing at the deployment, which was not called; returns at once and never raises."""
