"""What a caller is told whose request does not fit into its limits."""

from gateway.admission.outcome import Allowances, LimitExceededError, Needs
from gateway.admission.reply import WAIT_NEVER, Reply, allowances
from gateway.admission.windows import LimitWindow
from gateway.callers import Caller
from gateway.errors import GatewayError
from gateway.limits import NANO_USD

# When to ask again if the cache is away and requests without limits enforced are not served.
_CLOSED_SECONDS = 5


def never_fits(caller: Caller, windows: tuple[LimitWindow, ...], needs: Needs) -> LimitExceededError | None:
    """The refusal of a request that needs more than a whole limit, which no waiting will change."""
    for window in windows:
        amount = window.amount(needs)
        if amount > window.limit:
            return LimitExceededError(
                f"The request may need {_amount(window, amount)}, and {_limit(caller, window)}, "
                f"so it can never pass; lower max_tokens or shorten the prompt.",
                type=window.unit,
                allowances=Allowances(),
                retry_after_seconds=None,
            )
    return None


def does_not_fit(
    caller: Caller, windows: tuple[LimitWindow, ...], needs: Needs, reply: Reply
) -> LimitExceededError:
    """The refusal of a request for which there is no room now; it names the limit that lasts longest."""
    refusing = [(window, state) for window, state in zip(windows, reply.states, strict=True) if state.refuses]
    window, state = next((each for each in refusing if each[1].wait == reply.seconds), refusing[0])
    is_final = reply.seconds == WAIT_NEVER
    advice = "ask for a higher limit" if is_final else f"try again in {reply.seconds} s"
    left = _amount(window, max(window.limit - state.used, 0))
    return LimitExceededError(
        f"{_limit(caller, window)}: {left} left, and the request may need "
        f"{_amount(window, window.amount(needs))}; {advice}.",
        type=window.unit,
        allowances=allowances(windows, reply.states),
        retry_after_seconds=None if is_final else reply.seconds,
    )


def limits_unavailable() -> GatewayError:
    """The 503 for callers with limits while none can be enforced and the setting is `closed`."""
    return GatewayError(
        503,
        f"The caller's limits cannot be checked at the moment; try again in {_CLOSED_SECONDS} s.",
        type="api_error",
        code="limits_unavailable",
        retry_after_seconds=_CLOSED_SECONDS,
    )


def _limit(caller: Caller, window: LimitWindow) -> str:
    subject = window.subject
    if subject.kind == "project":
        whose = f"project {caller.project.name!r}" if caller.project is not None else "its project"
    else:
        whose = f"caller {caller.name!r}"
    model = "" if subject.model is None else f" on model {subject.model!r}"
    return f"{window.name} of {whose}{model} is limited to {_amount(window, window.limit)}"


def _amount(window: LimitWindow, amount: int) -> str:
    if window.unit != "usd":
        return f"{amount} {window.unit if amount != 1 else window.unit.removesuffix('s')}"
    whole, rest = divmod(amount, NANO_USD)
    fraction = f"{rest:09d}".rstrip("0")
    return f"{whole}.{fraction:0<2} USD"
