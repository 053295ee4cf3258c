"""What a caller is told when no deployment has answered."""

from collections.abc import Sequence

from gateway.errors import GatewayError, provider_error

_TIMEOUT_STATUSES = frozenset({408, 504})


def can_be_tried_elsewhere(error: GatewayError) -> bool:
    """Whether another deployment might answer: the error is not the caller's fault."""
    return error.status in (408, 429) or error.status >= 500


def is_timeout(error: GatewayError) -> bool:
    """Whether a deployment took too long."""
    return error.status in _TIMEOUT_STATUSES


def verdict_on(errors: Sequence[GatewayError], *, retry_after_seconds: int) -> GatewayError:
    """Sum up the errors of all attempts, at least one, none of them the caller's fault.

    429 if all deployments throttled, with the time given; 504 if the others took too long; otherwise 502.
    """
    faults = [error for error in errors if error.status != 429]
    if not faults:
        return _restated(errors[-1], 429, retry_after_seconds)
    broken = [error for error in faults if not is_timeout(error)]
    if broken:
        return _restated(broken[-1], 502, broken[-1].retry_after_seconds)
    return _restated(faults[-1], 504, faults[-1].retry_after_seconds)


def at_capacity(model: str, *, retry_after_seconds: int) -> GatewayError:
    """The error for a model whose deployments all serve as much as their configured capacity allows."""
    return GatewayError(
        429,
        f"The model {model!r} is used to the capacity set for it here; try again later.",
        type="rate_limit_error",
        code="rate_limit_exceeded",
        retry_after_seconds=retry_after_seconds,
    )


def out_of_time(model: str, deadline_seconds: float) -> GatewayError:
    """The error for a request that no deployment could even be asked to answer in time."""
    return provider_error(
        f"No deployment of the model {model!r} could be asked within {deadline_seconds:g} s; try again.",
        code="upstream_timeout",
        status=504,
    )


def _restated(error: GatewayError, status: int, retry_after_seconds: int | None) -> GatewayError:
    return GatewayError(
        status,
        error.message,
        type=error.type,
        code=error.code,
        retry_after_seconds=retry_after_seconds,
        detail=error.detail,
    )
