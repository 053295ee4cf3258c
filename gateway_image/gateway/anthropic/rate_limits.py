"""What is left of a caller's limit, in the headers of Anthropic's API."""

from datetime import UTC, datetime, timedelta

from gateway.admission import Allowance


def allowance_headers(allowance: Allowance) -> list[tuple[bytes, bytes]]:
    """The headers; the time when all is there again is in UTC, as RFC 3339 writes it."""
    reset = datetime.now(UTC) + timedelta(seconds=allowance.reset_seconds)
    return [
        (b"anthropic-ratelimit-requests-limit", b"%d" % allowance.limit),
        (b"anthropic-ratelimit-requests-remaining", b"%d" % allowance.remaining),
        (b"anthropic-ratelimit-requests-reset", reset.strftime("%Y-%m-%dT%H:%M:%SZ").encode()),
    ]
