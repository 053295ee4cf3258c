"""Faults on command: what may go wrong with a call, and which calls it hits."""

from collections.abc import Callable, Iterable
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field


class Target(BaseModel):
    """Which calls something applies to; a field that is left out matches every call."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    account: str | None = None
    region: Annotated[str | None, Field(description="The region whose endpoint is called.")] = None
    model: Annotated[
        str | None, Field(description="The model or profile as called, or the model behind it.")
    ] = None
    times: Annotated[int | None, Field(ge=1, description="How many calls it hits; without it, all.")] = None

    def matches(self, account: str | None, region: str | None, models: Iterable[str]) -> bool:
        """Whether a call of these models in this region by this account is meant; None is unknown."""
        return (
            self.account in (None, account)
            and self.region in (None, region)
            and (self.model is None or self.model in models)
        )


class RegionDown(Target):
    """The region's endpoint resets connections unanswered, and no profile is served from the region."""

    kind: Literal["region_down"] = "region_down"
    region: str


class Error(Target):
    """The call is refused with this error before it counts against a quota."""

    kind: Literal["error"] = "error"
    error: Literal[
        "AccessDeniedException",
        "ExpiredTokenException",
        "InternalServerException",
        "ModelErrorException",
        "ModelNotReadyException",
        "ModelTimeoutException",
        "ResourceNotFoundException",
        "ServiceUnavailableException",
        "ThrottlingException",
        "UnrecognizedClientException",
    ]
    message: str | None = None
    retry_after_seconds: Annotated[int | None, Field(ge=0)] = None


class SlowFirstByte(Target):
    """Nothing is sent, not even the status line, for this long on top of the model's own latency."""

    kind: Literal["slow_first_byte"] = "slow_first_byte"
    seconds: Annotated[float, Field(gt=0)]


class Hang(Target):
    """The call is never answered; with `after_events`, a stream stalls for ever after that many."""

    kind: Literal["hang"] = "hang"
    after_events: Annotated[int | None, Field(ge=0)] = None


class Cut(Target):
    """The connection is reset after so many events of a stream, or in the middle of a plain answer."""

    kind: Literal["cut"] = "cut"
    after_events: Annotated[int, Field(ge=0)] = 0


class StreamError(Target):
    """A stream ends with an exception event after so many events; plain answers are not affected."""

    kind: Literal["stream_error"] = "stream_error"
    error: Literal[
        "internalServerException",
        "modelStreamErrorException",
        "serviceUnavailableException",
        "throttlingException",
        "validationException",
    ] = "modelStreamErrorException"
    message: str = "The model stopped unexpectedly while streaming. Try your request again."
    after_events: Annotated[int, Field(ge=0)] = 0


class Garbage(Target):
    """Bytes that are neither JSON nor an event stream, after so many events of a stream."""

    kind: Literal["garbage"] = "garbage"
    after_events: Annotated[int, Field(ge=0)] = 0


class CorruptChecksum(Target):
    """One event of a stream, the one after so many, carries a wrong CRC; plain answers are not affected."""

    kind: Literal["corrupt_checksum"] = "corrupt_checksum"
    after_events: Annotated[int, Field(ge=0)] = 0


class Fragment(Target):
    """A stream is sent in pieces of this size, so that events are split at any byte."""

    kind: Literal["fragment"] = "fragment"
    size_bytes: Annotated[int, Field(ge=1)]


class RoleRefused(BaseModel):
    """AWS STS hands out no credentials of a role, or of any."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["role_refused"] = "role_refused"
    error: Literal["AccessDenied", "Throttling", "ServiceUnavailable"] = "AccessDenied"
    role_arn: Annotated[str | None, Field(description="Which role; without it, every role.")] = None
    times: Annotated[int | None, Field(ge=1, description="How often; without it, always.")] = None


Fault = Annotated[
    RegionDown
    | Error
    | SlowFirstByte
    | Hang
    | Cut
    | StreamError
    | Garbage
    | CorruptChecksum
    | Fragment
    | RoleRefused,
    Field(discriminator="kind"),
]
_Kind = TypeVar("_Kind", bound=BaseModel)


class ActiveFaults:
    """The faults in force, numbered in the order they were set."""

    def __init__(self, initial: Iterable[Fault]) -> None:
        self._active: dict[int, tuple[Fault, int | None]] = {}
        self._next = 1
        for fault in initial:
            self.add(fault)

    def add(self, fault: Fault) -> int:
        """Put a fault in force; returns its number."""
        number = self._next
        self._next += 1
        self._active[number] = (fault, fault.times)
        return number

    def clear(self, number: int | None = None) -> None:
        """Lift one fault, or all; KeyError if there is none of that number."""
        if number is None:
            self._active.clear()
        else:
            del self._active[number]

    def list(self) -> dict[int, Fault]:
        """The faults in force by number."""
        return {number: fault for number, (fault, _) in self._active.items()}

    def regions_down(self) -> frozenset[str]:
        """Regions that serve nothing now."""
        return frozenset(fault.region for fault, _ in self._active.values() if isinstance(fault, RegionDown))

    def take(self, account: str | None, region: str | None, models: Iterable[str]) -> tuple[Fault, ...]:
        """The faults that hit this call; those limited to a number of calls are used up by it."""
        return self._take(lambda fault: isinstance(fault, Target) and fault.matches(account, region, models))

    def take_for_role(self, role_arn: str) -> RoleRefused | None:
        """The fault that refuses this role now, used up as `take` does."""
        hits = self._take(lambda fault: isinstance(fault, RoleRefused) and fault.role_arn in (None, role_arn))
        return first(hits, RoleRefused)

    def _take(self, is_hit: Callable[[Fault], bool]) -> tuple[Fault, ...]:
        if not self._active:
            return ()
        hits = []
        for number, (fault, left) in list(self._active.items()):
            if not is_hit(fault):
                continue
            hits.append(fault)
            if left == 1:
                del self._active[number]
            elif left is not None:
                self._active[number] = (fault, left - 1)
        return tuple(hits)


def first(faults: Iterable[Fault], kind: type[_Kind]) -> _Kind | None:
    """The first fault of this kind, if any."""
    return next((fault for fault in faults if isinstance(fault, kind)), None)
