"""AWS credentials of this process: from its environment or from its container's endpoint (ECS, EKS).

They are fetched once at start and replaced in the background ahead of their expiry, so that no request
waits for them.
"""

import asyncio
import logging
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import msgspec

from gateway.http_client import HttpClient, HttpError
from gateway.retry import with_retries

_LOG = logging.getLogger(__name__)

_ECS_ENDPOINT = "http://169.254.170.2"
# The answer is a secret: plain HTTP only to the link-local addresses of ECS and EKS and to this machine.
_PLAIN_HTTP_HOSTS = frozenset({"169.254.170.2", "169.254.170.23", "fd00:ec2::23", "localhost"})
_CONNECT_SECONDS = 2
_FETCH_SECONDS = 5
_REFRESH_AHEAD_SECONDS = 15 * 60
_RETRY_SECONDS = 10


class CredentialsError(Exception):
    """There are no AWS credentials, or the ones there are cannot be used; the message says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """An access key and, for temporary ones, its token and expiry in seconds since 1970."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)
    expires_at: float | None = None


class CredentialSource(Protocol):
    """Where requests take their credentials from."""

    def current(self) -> Credentials:
        """Return usable credentials at once; raises CredentialsError if the last ones have expired."""

    async def keep_fresh(self) -> None:
        """Replace credentials ahead of their expiry until cancelled."""


class StaticCredentials:
    """Credentials that never change: those of the environment variables."""

    def __init__(self, credentials: Credentials) -> None:
        self._credentials = credentials

    def current(self) -> Credentials:
        """Return the credentials."""
        return self._credentials

    async def keep_fresh(self) -> None:
        """Return at once: nothing expires."""


class _ContainerAnswer(msgspec.Struct, rename="pascal"):
    access_key_id: str
    secret_access_key: str
    token: str
    expiration: datetime


class ContainerCredentials:
    """Credentials that the container's endpoint hands out and replaces."""

    def __init__(
        self, http: HttpClient, url: str, *, token: str | None = None, token_file: Path | None = None
    ):
        self._http = http
        self._url = url
        self._endpoint = _without_path(url)
        self._token = token
        self._token_file = token_file
        self._credentials: Credentials | None = None

    def current(self) -> Credentials:
        """Return the latest credentials; raises CredentialsError if they have expired."""
        credentials = self._credentials
        if credentials is None or (credentials.expires_at or 0) <= time.time():
            raise CredentialsError(f"the AWS credentials have expired and {self._endpoint} gave no new ones")
        return credentials

    async def start(self) -> None:
        """Fetch the first credentials, patiently; raises CredentialsError after some attempts."""
        await with_retries(self.refresh, retry_on=CredentialsError)

    async def refresh(self) -> None:
        """Fetch credentials now; raises CredentialsError and keeps the old ones if that fails."""
        headers = {"accept": "application/json"}
        if (token := await self._authorization()) is not None:
            headers["authorization"] = token
        try:
            async with asyncio.timeout(_FETCH_SECONDS):
                response = await self._http.send(
                    "GET", self._url, headers=headers, connect_seconds=_CONNECT_SECONDS
                )
        except (HttpError, TimeoutError) as error:
            raise CredentialsError(
                f"the credentials endpoint {self._endpoint} gave no answer: {error!r}"
            ) from None
        if response.status != 200:
            raise CredentialsError(
                f"the credentials endpoint {self._endpoint} answered with status {response.status}"
            )
        try:
            answer = msgspec.json.decode(response.body, type=_ContainerAnswer)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise CredentialsError(
                f"the credentials endpoint {self._endpoint} gave no credentials: {error}"
            ) from None
        self._credentials = Credentials(
            access_key_id=answer.access_key_id,
            secret_access_key=answer.secret_access_key,
            session_token=answer.token,
            expires_at=answer.expiration.timestamp(),
        )

    async def keep_fresh(self) -> None:
        """Replace the credentials ahead of their expiry, for ever."""
        while True:
            expires_at = self._credentials.expires_at if self._credentials else None
            due_in_seconds = (expires_at or 0) - time.time() - _REFRESH_AHEAD_SECONDS
            # The jitter keeps tasks that started together from asking together.
            jitter = random.uniform(0.9, 1)  # noqa: S311 (no secret)
            await asyncio.sleep(max(due_in_seconds, _RETRY_SECONDS) * jitter)
            try:
                await self.refresh()
            except CredentialsError as error:
                _LOG.warning("%s", error)

    async def _authorization(self) -> str | None:
        if self._token_file is None:
            return self._token
        try:
            # Read each time: EKS replaces the token in the file.
            return (await asyncio.to_thread(self._token_file.read_text)).strip()
        except (OSError, UnicodeDecodeError) as error:
            raise CredentialsError(f"the credentials endpoint's token cannot be read: {error}") from None


async def load_credentials(environ: Mapping[str, str], http: HttpClient) -> CredentialSource:
    """Find credentials where the AWS SDKs do: in the environment, then at the container's endpoint.

    Raises CredentialsError if there are none, if the endpoint is not to be trusted or does not answer.
    """
    if "AWS_ACCESS_KEY_ID" in environ:
        if not environ.get("AWS_SECRET_ACCESS_KEY"):
            raise CredentialsError("AWS_SECRET_ACCESS_KEY is missing beside AWS_ACCESS_KEY_ID; set both")
        return StaticCredentials(
            Credentials(
                access_key_id=environ["AWS_ACCESS_KEY_ID"],
                secret_access_key=environ["AWS_SECRET_ACCESS_KEY"],
                session_token=environ.get("AWS_SESSION_TOKEN") or None,
            )
        )
    token_file = environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
    source = ContainerCredentials(
        http,
        _container_endpoint(environ),
        token=environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN"),
        token_file=Path(token_file) if token_file else None,
    )
    await source.start()
    return source


def _container_endpoint(environ: Mapping[str, str]) -> str:
    if relative := environ.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"):
        return _ECS_ENDPOINT + relative
    url = environ.get("AWS_CONTAINER_CREDENTIALS_FULL_URI")
    if not url:
        raise CredentialsError(
            "no AWS credentials: give the task or pod a role, "
            "or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        )
    parts = urlsplit(url)
    if parts.scheme != "https" and not _is_trusted_host(parts.hostname or ""):
        raise CredentialsError(
            f"AWS_CONTAINER_CREDENTIALS_FULL_URI: {_without_path(url)!r} is plain HTTP to another machine; "
            f"allowed are https, loopback and {', '.join(sorted(_PLAIN_HTTP_HOSTS))}"
        )
    return url


def _without_path(url: str) -> str:
    """The address for messages: the path may hold what guards the role's credentials."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _is_trusted_host(host: str) -> bool:
    if host in _PLAIN_HTTP_HOSTS:
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
