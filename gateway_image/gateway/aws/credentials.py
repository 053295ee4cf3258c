"""AWS credentials of this process: from its environment, by its pod's token or from its container's endpoint.

They are fetched once at start and replaced in the background ahead of their expiry, so that no request
waits for them.
"""

import asyncio
import logging
import random
import time
from abc import ABC, abstractmethod
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


class FetchedCredentials(ABC):
    """Credentials that somebody hands out for a while: `giver` names them in messages."""

    def __init__(self, giver: str) -> None:
        self._giver = giver
        self._credentials: Credentials | None = None

    @abstractmethod
    async def _fetch(self) -> Credentials:
        """Ask for credentials once; raises CredentialsError."""

    def current(self) -> Credentials:
        """Return the latest credentials; raises CredentialsError if they have expired."""
        credentials = self._credentials
        if credentials is None or (credentials.expires_at or 0) <= time.time():
            raise CredentialsError(f"the AWS credentials have expired and {self._giver} gave no new ones")
        return credentials

    async def start(self) -> None:
        """Fetch the first credentials, patiently; raises CredentialsError after some attempts."""
        await with_retries(self.refresh, retry_on=CredentialsError)

    async def refresh(self) -> None:
        """Fetch credentials now; raises CredentialsError and keeps the old ones if that fails."""
        self._credentials = await self._fetch()

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


class _ContainerAnswer(msgspec.Struct, rename="pascal"):
    access_key_id: str
    secret_access_key: str
    token: str
    expiration: datetime


class ContainerCredentials(FetchedCredentials):
    """Credentials that the container's endpoint hands out and replaces."""

    def __init__(
        self, http: HttpClient, url: str, *, token: str | None = None, token_file: Path | None = None
    ):
        super().__init__(_without_path(url))
        self._http = http
        self._url = url
        self._token = token
        self._token_file = token_file

    async def _fetch(self) -> Credentials:
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
                f"the credentials endpoint {self._giver} gave no answer: {error!r}"
            ) from None
        if response.status != 200:
            raise CredentialsError(
                f"the credentials endpoint {self._giver} answered with status {response.status}"
            )
        try:
            answer = msgspec.json.decode(response.body, type=_ContainerAnswer)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise CredentialsError(
                f"the credentials endpoint {self._giver} gave no credentials: {error}"
            ) from None
        return Credentials(
            access_key_id=answer.access_key_id,
            secret_access_key=answer.secret_access_key,
            session_token=answer.token,
            expires_at=answer.expiration.timestamp(),
        )

    async def _authorization(self) -> str | None:
        return self._token if self._token_file is None else await read_token(self._token_file)


async def read_token(file: Path) -> str:
    """The token that a pod asks for credentials with: read each time, as EKS replaces it in its file."""
    try:
        return (await asyncio.to_thread(file.read_text)).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise CredentialsError(f"the token for AWS credentials cannot be read: {error}") from None


async def load_credentials(environ: Mapping[str, str], http: HttpClient) -> CredentialSource:
    """Find credentials where the AWS SDKs do: in the environment, then by a pod's token or at an endpoint.

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
    source = _pod_or_container(environ, http)
    await source.start()
    return source


def _pod_or_container(environ: Mapping[str, str], http: HttpClient) -> FetchedCredentials:
    if "AWS_WEB_IDENTITY_TOKEN_FILE" in environ:
        # It needs more modules, and few processes need it.
        from gateway.aws.web_identity import WebIdentityCredentials

        return WebIdentityCredentials(http, environ)
    token_file = environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
    return ContainerCredentials(
        http,
        _container_endpoint(environ),
        token=environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN"),
        token_file=Path(token_file) if token_file else None,
    )


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
