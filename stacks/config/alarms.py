"""The section `alarms`."""

from typing import Annotated

from pydantic import Field

from gateway.validation import pattern
from stacks.config.section import Section

EmailAddress = Annotated[
    str, pattern(r"^[^@\s]+@[^@\s]+\.[^@\s.]+$", "an e-mail address", "on-call@example.com")
]


class Alarms(Section):
    """Who is told when an alarm goes off."""

    emails: Annotated[
        tuple[EmailAddress, ...],
        Field(
            examples=[["on-call@example.com"]],
            description="Each is sent a link and is told of alarms once somebody has followed it.",
        ),
    ] = ()
