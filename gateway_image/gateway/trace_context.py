"""The trace a request belongs to, as its caller names it in W3C Trace Context's header."""

import re
import secrets

# Versions after 00 may append fields; ff is no version, and IDs of zeros alone are none.
_TRACEPARENT = re.compile(
    r"(?:00(?=.{53}$)|(?!00|ff)[0-9a-f]{2})"
    r"-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?"
)


def trace_id_of(traceparent: str | None) -> str:
    """The 32 hexadecimal digits of the caller's trace, or new ones if it sent none that are valid."""
    if traceparent is not None and (match := _TRACEPARENT.fullmatch(traceparent)):
        return match[1]
    return secrets.token_hex(16)
