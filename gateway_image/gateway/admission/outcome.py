"""What is asked of admission, and what it answers."""

from typing import Any

import msgspec

from gateway.errors import GatewayError


class Needs(msgspec.Struct, frozen=True):
    """The most that a request may use, or what it used: tokens of prompt and answer, and their cost."""

    tokens: int = 0
    nano_usd: int = 0


class Allowance(msgspec.Struct, frozen=True):
    """A limit, what is left of it, and when all of it will be there again."""

    limit: int
    remaining: int
    reset_seconds: int


class Allowances(msgspec.Struct, frozen=True):
    """The limits of which least is left, one of requests and one of tokens; None where there is none."""

    requests: Allowance | None = None
    tokens: Allowance | None = None


class Reservation(msgspec.Struct, frozen=True):
    """What a request holds of a deployment's capacity: itself, and its tokens until its usage is known.

    request_window, token_window: where they are counted, None if there is no limit.
    second: when they were counted, by the clock that counts. local: counted in this process alone.
    """

    request_window: str | None
    token_window: str | None
    tokens: int
    second: int
    local: bool


class CallerReservation(msgspec.Struct, frozen=True):
    """What a request holds of its caller's limits until its usage is known. windows: for admission alone."""

    windows: tuple[Any, ...]
    needs: Needs
    second: int
    local: bool


class Admitted(msgspec.Struct, frozen=True):
    """What became of a request to go on.

    index: the candidate that takes the request; None if none has capacity left, and then nothing was counted.
    retry_after_seconds: with None, when one will have capacity.
    allowances: what the caller has left, if it has limits and was asked about.
    reservation: for `settle` or `cancel`, if the candidate's capacity is limited.
    caller_reservation: for `settle_caller`, if the caller has limits and was asked about.
    second: when it was counted, in Unix time, by the clock that counts; this process's without a limit.
    """

    index: int | None
    second: int
    retry_after_seconds: int | None = None
    allowances: Allowances | None = None
    reservation: Reservation | None = None
    caller_reservation: CallerReservation | None = None


class LimitExceededError(GatewayError):
    """A 429 because of a limit of the caller, its project or its roles; nothing was counted."""

    def __init__(
        self, message: str, *, type: str, allowances: Allowances, retry_after_seconds: int | None
    ) -> None:
        """type: 'requests', 'tokens' or 'usd'. Without retry_after_seconds the request can never pass."""
        super().__init__(
            429, message, type=type, code="rate_limit_exceeded", retry_after_seconds=retry_after_seconds
        )
        self.allowances = allowances

    @property
    def is_final(self) -> bool:
        """Whether asking again is in vain."""
        return self.retry_after_seconds is None
