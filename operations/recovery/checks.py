"""One thing that was looked at, and what is wrong with it."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Check:
    """behind_seconds: how much would be lost of it; None where that is unknown. fix: what mends it."""

    what: str
    state: Literal["ok", "failed", "no answer"]
    found: str
    behind_seconds: float | None = None
    fix: str = ""
