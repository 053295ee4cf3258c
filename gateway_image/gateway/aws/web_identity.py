"""Credentials for a token that a cluster's OpenID Connect provider signs (IAM roles for service accounts)."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlencode

from gateway.aws.credentials import Credentials, CredentialsError, FetchedCredentials, read_token
from gateway.aws.security_token_service import VERSION, UnavailableError, read_credentials, refusal
from gateway.http_client import HttpClient, HttpError

_ACTION = "AssumeRoleWithWebIdentity"
_SESSION_NAME = "gatehouse"
_CONNECT_SECONDS = 2
_ANSWER_SECONDS = 5


class WebIdentityCredentials(FetchedCredentials):
    """A role's credentials by the variables that EKS gives a pod; CredentialsError if one is missing."""

    def __init__(self, http: HttpClient, environ: Mapping[str, str]) -> None:
        self._http = http
        self._token_file = Path(_variable(environ, "AWS_WEB_IDENTITY_TOKEN_FILE"))
        self._role_arn = _variable(environ, "AWS_ROLE_ARN")
        self._session_name = environ.get("AWS_ROLE_SESSION_NAME") or _SESSION_NAME
        endpoint = environ.get("AWS_ENDPOINT_URL_STS")
        self._url = endpoint or f"https://sts.{_variable(environ, 'AWS_REGION')}.amazonaws.com"
        super().__init__(f"STS for {self._role_arn}")

    async def _fetch(self) -> Credentials:
        body = urlencode(
            {
                "Action": _ACTION,
                "Version": VERSION,
                "RoleArn": self._role_arn,
                "RoleSessionName": self._session_name,
                "WebIdentityToken": await read_token(self._token_file),
            }
        ).encode()
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                response = await self._http.send(
                    "POST",
                    f"{self._url.rstrip('/')}/",
                    headers={"content-type": "application/x-www-form-urlencoded"},
                    body=body,
                    connect_seconds=_CONNECT_SECONDS,
                )
        except (HttpError, TimeoutError) as error:
            raise UnavailableError(
                f"{self._role_arn} cannot be assumed: STS gave no answer: {error!r}"
            ) from None
        if response.status != 200:
            raise refusal(self._role_arn, response)
        return read_credentials(_ACTION, self._role_arn, response.body)


def _variable(environ: Mapping[str, str], name: str) -> str:
    if not environ.get(name):
        raise CredentialsError(f"{name} is missing beside AWS_WEB_IDENTITY_TOKEN_FILE; set it")
    return environ[name]
