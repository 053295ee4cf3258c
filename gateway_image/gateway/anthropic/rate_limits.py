"""What is left of a caller's limits, in the headers of Anthropic's API."""

from datetime import UTC, datetime, timedelta

from gateway.admission.outcome import Allowances


def allowance_headers(allowances: Allowances) -> list[tuple[bytes, bytes]]:
    """The headers; the time when all is there again is in UTC, as RFC 3339 writes it."""
    headers: list[tuple[bytes, bytes]] = []
    now = datetime.now(UTC)
    for unit, allowance in ((b"requests", allowances.requests), (b"tokens", allowances.tokens)):
        if allowance is not None:
            reset = now + timedelta(seconds=allowance.reset_seconds)
            headers += [
                (b"anthropic-ratelimit-%b-limit" % unit, b"%d" % allowance.limit),
                (b"anthropic-ratelimit-%b-remaining" % unit, b"%d" % allowance.remaining),
                (b"anthropic-ratelimit-%b-reset" % unit, reset.strftime("%Y-%m-%dT%H:%M:%SZ").encode()),
            ]
    return headers
