"""Cognito's custom message trigger: mails that say whose they are, why they came, and what to do.

Variables: PLATFORM_NAME and PLATFORM_URL.

Cognito sends one body, as HTML; these read well as text, too. No word of a mail comes from who caused it,
such as a name from a sign-up form: strangers could have the platform send their words to anybody.
"""

import html
import os
from typing import Any, NamedTuple

Event = dict[str, Any]


class _Mail(NamedTuple):
    """Subject and paragraphs; {name} and {url} are the platform's, {code} and {user} Cognito puts in."""

    subject: str
    paragraphs: tuple[str, ...]


_IGNORE = "If you did not ask for this, ignore this mail: nothing happens without the code."
_VERIFY = _Mail(
    "Confirm your address for {name}",
    ("Confirm this address for {name} with the code <b>{code}</b>.", "It holds for 24 hours.", _IGNORE),
)
_MAILS = {
    "CustomMessage_AdminCreateUser": _Mail(
        "Your account for {name}",
        (
            'You have an account for {name}: <a href="{url}">{url}</a>',
            "User name: <b>{user}</b><br>Password for the first sign-in: <b>{code}</b>",
            "You will choose a password of your own, and a second factor. The first password expires in "
            "three days; an administrator can send another one.",
        ),
    ),
    "CustomMessage_SignUp": _VERIFY,
    "CustomMessage_ResendCode": _VERIFY,
    "CustomMessage_UpdateUserAttribute": _VERIFY,
    "CustomMessage_VerifyUserAttribute": _VERIFY,
    "CustomMessage_ForgotPassword": _Mail(
        "Reset your password for {name}",
        ("Choose a new password for {name} with the code <b>{code}</b>.", "It holds for an hour.", _IGNORE),
    ),
}


def on_event(event: Event, _context: Any) -> Event:
    """Return the event with subject and body; other messages than those known here stay Cognito's."""
    mail = _MAILS.get(event["triggerSource"])
    if mail is None:
        return event
    request = event["request"]
    values = {
        "name": html.escape(os.environ["PLATFORM_NAME"]),
        "url": html.escape(os.environ["PLATFORM_URL"]),
        # Cognito's placeholders: this function never sees a code or a password.
        "code": request["codeParameter"],
        "user": request.get("usernameParameter") or "",
    }
    event["response"]["emailSubject"] = mail.subject.format(name=os.environ["PLATFORM_NAME"])
    event["response"]["emailMessage"] = "".join(f"<p>{p.format(**values)}</p>\n" for p in mail.paragraphs)
    return event
