"""Cognito's pre sign-up trigger: accounts are for the addresses of some domains.

Variable: ALLOWED_DOMAINS, in lower case, separated by commas. Who signs up, or comes from an identity
provider for the first time, needs an address of one of them; it is compared to the last character, so that a
domain below one of them is another domain. An account that an administrator makes is the administrator's
decision.

Nobody is confirmed here, and no address verified: that takes the code that is sent to the address.
"""

import json
import os
from typing import Any

Event = dict[str, Any]


class RefusedError(Exception):
    """Cognito shows the message to the person."""


def on_event(event: Event, _context: Any) -> Event:
    """Return the event as it came, or raise RefusedError; whatever is not understood is refused, too."""
    source = event["triggerSource"]
    if source == "PreSignUp_AdminCreateUser":
        return event
    if source not in ("PreSignUp_SignUp", "PreSignUp_ExternalProvider"):
        raise RefusedError("Accounts are not made this way.")
    allowed = os.environ["ALLOWED_DOMAINS"].split(",")
    domain = _domain(event["request"]["userAttributes"].get("email"))
    if domain not in allowed:
        print(json.dumps({"event": "sign_up_refused", "source": source, "domain": domain}))
        raise RefusedError(f"Accounts are for addresses of {', '.join(allowed)}.")
    return event


def _domain(address: object) -> str | None:
    """The domain of an address; None for what is no plain address."""
    # lower() makes ASCII of some letters that are none, such as the sign for kelvin.
    if not isinstance(address, str) or not address.isascii():
        return None
    local, _, domain = address.lower().partition("@")
    return domain if local and domain else None
