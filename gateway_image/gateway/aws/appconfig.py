"""AWS AppConfig: the deployed document of a configuration profile, now and whenever it changes."""

import asyncio
from urllib.parse import urlsplit

import msgspec

from gateway.aws.credentials import CredentialsError, CredentialSource
from gateway.aws.signature import encode_query, sign
from gateway.http_client import HttpClient, HttpError, HttpResponse

_CONNECT_SECONDS = 3
_ANSWER_SECONDS = 10
_POLL_SECONDS = 30


class AppConfigError(Exception):
    """AppConfig gave no document; the message says why."""


class _Session(msgspec.Struct):
    token: str = msgspec.field(name="InitialConfigurationToken")


class AppConfigProfile:
    """A configuration profile in an environment, read through a session that AppConfig keeps.

    `poll_seconds` is how long to wait before the next `fetch`, as AppConfig wants it.
    """

    def __init__(
        self,
        http: HttpClient,
        credentials: CredentialSource,
        *,
        application: str,
        environment: str,
        profile: str,
        region: str,
        endpoint_url: str | None,
    ) -> None:
        self.poll_seconds: float = _POLL_SECONDS
        self._http = http
        self._credentials = credentials
        self._identifiers = {
            "ApplicationIdentifier": application,
            "EnvironmentIdentifier": environment,
            "ConfigurationProfileIdentifier": profile,
            "RequiredMinimumPollIntervalInSeconds": _POLL_SECONDS,
        }
        self._region = region
        self._endpoint = (endpoint_url or f"https://appconfigdata.{region}.amazonaws.com").rstrip("/")
        self._token: str | None = None

    async def fetch(self) -> bytes | None:
        """Return the document, None if it is the same as at the last fetch.

        Raises AppConfigError; the next fetch then opens a new session and returns the whole document.
        """
        token, self._token = self._token, None
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                if token is None:
                    token = await self._open_session()
                response = await self._call(
                    "GET", "/configuration", query=encode_query({"configuration_token": token})
                )
        except TimeoutError:
            raise AppConfigError(f"AppConfig gave no answer within {_ANSWER_SECONDS} s") from None
        except (HttpError, CredentialsError) as error:
            raise AppConfigError(f"AppConfig cannot be asked: {error}") from error
        self._token = response.headers.get("next-poll-configuration-token")
        if (seconds := response.headers.get("next-poll-interval-in-seconds", "")).isdecimal():
            self.poll_seconds = float(seconds)
        return response.body or None

    async def _open_session(self) -> str:
        response = await self._call(
            "POST", "/configurationsessions", body=msgspec.json.encode(self._identifiers)
        )
        try:
            return msgspec.json.decode(response.body, type=_Session).token
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise AppConfigError(f"AppConfig opened no session: {error}") from None

    async def _call(self, method: str, path: str, *, query: str = "", body: bytes = b"") -> HttpResponse:
        headers = {"content-type": "application/json"} if body else {}
        headers |= sign(
            self._credentials.current(),
            service="appconfig",
            region=self._region,
            method=method,
            host=urlsplit(self._endpoint).netloc,
            path=path,
            query=query,
            headers=headers,
            body=body,
        )
        url = f"{self._endpoint}{path}{'?' if query else ''}{query}"
        response = await self._http.send(
            method, url, headers=headers, body=body, connect_seconds=_CONNECT_SECONDS
        )
        if response.status not in {200, 201}:
            reason = response.body[:500].decode(errors="replace")
            raise AppConfigError(f"AppConfig answered {method} {path} with {response.status}: {reason}")
        return response
