"""What is left of a caller's limits, in the headers of OpenAI's API."""

from gateway.admission.outcome import Allowances


def allowance_headers(allowances: Allowances) -> list[tuple[bytes, bytes]]:
    """The headers; how long it takes until all is there again is written as 6h3m0s."""
    headers: list[tuple[bytes, bytes]] = []
    for unit, allowance in ((b"requests", allowances.requests), (b"tokens", allowances.tokens)):
        if allowance is not None:
            headers += [
                (b"x-ratelimit-limit-%b" % unit, b"%d" % allowance.limit),
                (b"x-ratelimit-remaining-%b" % unit, b"%d" % allowance.remaining),
                (b"x-ratelimit-reset-%b" % unit, _duration(allowance.reset_seconds)),
            ]
    return headers


def _duration(seconds: int) -> bytes:
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return b"%dh%dm%ds" % (hours, minutes, seconds)
    return b"%dm%ds" % (minutes, seconds) if minutes else b"%ds" % seconds
