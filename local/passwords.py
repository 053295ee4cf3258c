"""What stands in for IAM's tokens: PostgreSQL and Valkey themselves know only passwords."""

import secrets
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Passwords:
    """Made anew for each run; no deployed task has any of them."""

    owner: str = field(default_factory=secrets.token_urlsafe, repr=False)
    serving: str = field(default_factory=secrets.token_urlsafe, repr=False)
    cache: str = field(default_factory=secrets.token_urlsafe, repr=False)
