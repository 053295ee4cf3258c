"""Both regions as a recovery reaches them: either may be lost, and must not keep the command waiting."""

from __future__ import annotations

import copy
import threading
from collections.abc import Collection
from typing import Any, Literal

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, ConnectionError, HTTPClientError

from operations.failures import reason_of
from operations.text import clean

AWS_ERRORS = (BotoCoreError, ClientError)
# Longer than all tries of one request.
ANSWER_SECONDS = 15.0
CONFIG = Config(connect_timeout=2, read_timeout=5, retries={"total_max_attempts": 2, "mode": "standard"})
_HEALTH_SECONDS = 3.0
_PASSING_CODES = frozenset(
    {"Throttling", "ThrottlingException", "TooManyRequestsException", "RequestTimeout"}
)
_SERVER_ERROR = 500

Health = Literal["healthy", "unhealthy", "no answer"]


class SilentRegionError(ConnectionError):  # type: ignore[misc] # botocore ships no types
    """A region that has given no answer is not asked again."""

    fmt = "{region} does not answer"


class Aws:
    """Clients for either region, with the credentials of the shell; safe for several threads."""

    def __init__(self, session: Any = None) -> None:
        self._session = session or boto3.Session()
        self._lock = threading.Lock()
        self._clients: dict[tuple[str, str], Any] = {}
        self._silent: frozenset[str] = frozenset()

    def without(self, silent: Collection[str]) -> Aws:
        """The same, for which regions that are known to be silent need not be waited for again."""
        other = copy.copy(self)
        other._silent = frozenset(silent)
        return other

    def client(self, service: str, region: str) -> Any:
        """The client of a service in a region; raises SilentRegionError for one that is left out."""
        if region in self._silent:
            raise SilentRegionError(region=region)
        with self._lock:
            if (service, region) not in self._clients:
                self._clients[service, region] = self._session.client(
                    service, region_name=region, config=CONFIG
                )
            return self._clients[service, region]


def health(url: str) -> Health:
    """Whether gateways answer at an address."""
    import httpx

    try:
        answer = httpx.get(f"{url}/health/live", timeout=_HEALTH_SECONDS)
    except httpx.HTTPError:
        return "no answer"
    return "healthy" if answer.status_code == httpx.codes.OK else "unhealthy"


def accepts(url: str, key: str) -> str | None:
    """Why the gateways at an address do not take an API key; None if they do."""
    import httpx

    try:
        answer = httpx.get(
            f"{url}/v1/models", headers={"authorization": f"Bearer {key}"}, timeout=_HEALTH_SECONDS
        )
    except httpx.HTTPError as error:
        return reason_of(error)
    return None if answer.status_code == httpx.codes.OK else f"HTTP status {answer.status_code}"


def is_silence(error: Exception) -> bool:
    """Whether a service gave no answer, or only said that it is out of order."""
    if isinstance(error, ClientError):
        return bool(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) >= _SERVER_ERROR)
    return isinstance(error, (HTTPClientError, ConnectionError))


def is_passing(error: Exception) -> bool:
    """Whether the same request may well be answered a moment later."""
    return is_silence(error) or (
        isinstance(error, ClientError) and error.response["Error"]["Code"] in _PASSING_CODES
    )


def said(error: Exception) -> str:
    """What AWS said, or why it said nothing, in a few words."""
    if isinstance(error, ClientError):
        found = error.response["Error"]
        return clean(f"{found['Code']}: {found.get('Message', '')}")
    return clean(str(error))
