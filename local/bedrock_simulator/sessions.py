"""Role sessions: temporary credentials that AWS STS has handed out."""

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Session:
    """One session of a role; `principal` is the ARN it acts as, `expires_at` in seconds since 1970."""

    account: str
    principal: str
    tags: Mapping[str, str]
    access_key: str
    secret: str
    token: str
    expires_at: float

    @property
    def has_expired(self) -> bool:
        """Whether its credentials are no longer good."""
        return self.expires_at <= time.time()


class Sessions:
    """All sessions there are, by access key."""

    def __init__(self) -> None:
        self._sessions: dict[str, Session] = {}

    def find(self, access_key: str) -> Session | None:
        """The session of an access key, expired or not."""
        return self._sessions.get(access_key)

    def open(self, role_arn: str, name: str, tags: Mapping[str, str], seconds: float) -> Session:
        """Begin a session of a role."""
        account, _, role = role_arn.partition(":iam::")[2].partition(":role/")
        session = Session(
            account=account,
            principal=f"arn:aws:sts::{account}:assumed-role/{role.rpartition('/')[2]}/{name}",
            tags=dict(tags),
            access_key="ASIA" + secrets.token_hex(8).upper(),
            secret=secrets.token_urlsafe(30),
            token=secrets.token_urlsafe(60),
            expires_at=time.time() + seconds,
        )
        self._sessions[session.access_key] = session
        return session
