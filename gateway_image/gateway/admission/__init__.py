"""Whether a request may go on: its caller's limit, and a deployment with capacity left.

Limits hold in any 60 seconds, over all processes: one script in the cache decides and counts in one round
trip, and what is refused is not counted. While the cache is away each process counts by itself.
"""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from gateway.admission.windows import LocalWindows
from gateway.api_keys import Caller
from gateway.cache import keys
from gateway.cache.connection import Cache
from gateway.cache.errors import CacheError
from gateway.catalog import Deployment
from gateway.errors import GatewayError
from gateway.structured_log import StructuredLog

_SCRIPTS = Path(__file__).parent
# What admit.lua replies instead of the number of a deployment.
_CALLER_REFUSED = -1


class Allowance(msgspec.Struct, frozen=True):
    """A caller's limit of requests a minute, what is left of it, and when all of it will be there again."""

    limit: int
    remaining: int
    reset_seconds: int

    def headers(self) -> list[tuple[bytes, bytes]]:
        """The headers by which OpenAI tells a caller its limits."""
        minutes, seconds = divmod(self.reset_seconds, 60)
        reset = f"{minutes}m{seconds}s" if minutes else f"{seconds}s"
        return [
            (b"x-ratelimit-limit-requests", b"%d" % self.limit),
            (b"x-ratelimit-remaining-requests", b"%d" % self.remaining),
            (b"x-ratelimit-reset-requests", reset.encode()),
        ]


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


class Admitted(msgspec.Struct, frozen=True):
    """What became of a request to go on.

    index: the candidate that takes the request; None if none has capacity left, and then nothing was counted.
    retry_after_seconds: with None, when one will have capacity.
    allowance: what the caller has left, if it has a limit and was asked about.
    reservation: for `settle` or `cancel`, if the candidate's capacity is limited.
    """

    index: int | None
    retry_after_seconds: int | None = None
    allowance: Allowance | None = None
    reservation: Reservation | None = None


class LimitExceededError(GatewayError):
    """A 429 because of the caller's own limit."""

    def __init__(self, caller: Caller, allowance: Allowance, retry_after_seconds: int) -> None:
        super().__init__(
            429,
            f"Caller {caller.name!r} has used its limit of {allowance.limit} requests a minute; "
            f"try again in {retry_after_seconds} s.",
            type="requests",
            code="rate_limit_exceeded",
            retry_after_seconds=retry_after_seconds,
        )
        self.allowance = allowance


class Admission:
    """Counts requests and tokens against the limits of callers and the capacity of deployments."""

    def __init__(self, cache: Cache, log: StructuredLog) -> None:
        self._cache = cache
        self._log = log
        self._admit_script = cache.add_script((_SCRIPTS / "admit.lua").read_text())
        self._settle_script = cache.add_script((_SCRIPTS / "settle.lua").read_text())
        self._local = LocalWindows()
        self._is_local = False

    async def admit(
        self, caller: Caller | None, candidates: Sequence[Deployment], *, tokens: int
    ) -> Admitted:
        """Count a request at the first candidate with capacity left.

        caller: whose own limit the request counts against too; None if it has been counted already.
        tokens: the most that the request may use, reserved until it is settled.
        Raises LimitExceededError if the caller's own limit refuses.
        """
        caller_limit = (caller.requests_per_minute if caller else None) or 0
        if not caller_limit and (not candidates or _is_unlimited(candidates[0])):
            return Admitted(0 if candidates else None)
        windows, arguments = _question(caller, caller_limit, candidates, tokens)
        reply, local = await self._ask(windows, arguments)
        number, seconds, second, used, reset_seconds = reply
        allowance = None
        if caller is not None and caller_limit:
            allowance = Allowance(caller_limit, max(caller_limit - used, 0), reset_seconds)
            if number == _CALLER_REFUSED:
                raise LimitExceededError(caller, allowance, seconds)
        if not number:
            return Admitted(None, seconds, allowance)
        request_limit, token_limit = arguments[2 * number : 2 * number + 2]
        reservation = None
        if request_limit or token_limit:
            reservation = Reservation(
                windows[2 * number - 1] if request_limit else None,
                windows[2 * number] if token_limit else None,
                min(tokens, token_limit),
                second,
                local,
            )
        return Admitted(number - 1, None, allowance, reservation)

    def settle(self, reservation: Reservation, *, used_tokens: int) -> None:
        """Count what a request used instead of what it reserved; returns at once and never raises."""
        if reservation.token_window is not None:
            self._correct(reservation, reservation.token_window, used_tokens - reservation.tokens)

    def cancel(self, reservation: Reservation) -> None:
        """Count nothing at the deployment, which was not called; returns at once and never raises."""
        if reservation.request_window is not None:
            self._correct(reservation, reservation.request_window, -1)
        self.settle(reservation, used_tokens=0)

    def _correct(self, reservation: Reservation, window: str, change: int) -> None:
        if reservation.local:
            self._local.correct(window, reservation.second, change)
        else:
            self._cache.post("EVALSHA", self._settle_script, 1, window, reservation.second, change)

    async def _ask(self, windows: list[str], arguments: list[int]) -> tuple[list[int], bool]:
        """The script's reply and whether it is this process's own."""
        try:
            reply = await self._cache.send("EVALSHA", self._admit_script, len(windows), *windows, *arguments)
        except CacheError as error:
            if not self._is_local:
                self._is_local = True
                self._log.write("warning", "limits_are_local", reason=str(error))
            return self._local.admit(windows, arguments), True
        if self._is_local:
            self._is_local = False
            self._log.write("info", "limits_are_shared")
        return reply, False


def _is_unlimited(deployment: Deployment) -> bool:
    capacity = deployment.capacity
    return capacity.requests_per_minute is None and capacity.tokens_per_minute is None


def _question(
    caller: Caller | None, caller_limit: int, candidates: Sequence[Deployment], tokens: int
) -> tuple[list[str], list[int]]:
    """The keys and arguments of admit.lua."""
    windows = [keys.caller_requests(caller.name if caller else "")]
    arguments = [caller_limit, tokens]
    for deployment in candidates:
        capacity = deployment.capacity
        windows += (keys.deployment_requests(deployment.name), keys.deployment_tokens(deployment.name))
        arguments += (capacity.requests_per_minute or 0, capacity.tokens_per_minute or 0)
        # It takes the request; those after it are not needed.
        if _is_unlimited(deployment):
            break
    return windows, arguments
