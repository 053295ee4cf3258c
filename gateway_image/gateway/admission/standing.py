"""What is used of limits at the moment."""

import msgspec

from gateway.callers import Subject


class Standing(msgspec.Struct, frozen=True):
    """One limit on a subject.

    name: of a field of Limits. limit, used: in whole units, nano-USD of money; what requests under way have
    reserved is used. reset_seconds: until nothing of it is used any more by itself, None in a total.
    """

    subject: Subject
    name: str
    limit: int
    used: int
    reset_seconds: int | None
