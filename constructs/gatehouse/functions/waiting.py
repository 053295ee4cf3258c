"""Waiting in functions that are called again for as long as they fail."""

import json
from collections.abc import Callable
from time import sleep
from typing import Any

POLL_SECONDS = 5.0
# Kept back of a function's time: what it looks at may answer late.
RESERVED_SECONDS = 10.0


class NotYetError(Exception):
    """What is waited for has not come; the message says what is missing."""


def wait_until(look: Callable[[], str | None], context: Any) -> None:
    """Look again and again until nothing is missing. Raises NotYetError before Lambda ends the function.

    look: what is missing, in words, or None. context: what Lambda hands over.
    """
    while (missing := look()) is not None:
        if context.get_remaining_time_in_millis() / 1000 < POLL_SECONDS + RESERVED_SECONDS:
            raise NotYetError(missing)
        print(json.dumps({"waits_for": missing}))
        sleep(POLL_SECONDS)
