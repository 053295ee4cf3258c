"""AWS Security Token Service: temporary credentials of a role."""

import asyncio
from datetime import datetime
from urllib.parse import urlencode, urlsplit
from xml.etree import ElementTree

from gateway.aws.credentials import Credentials, CredentialsError, CredentialSource
from gateway.aws.signature import sign
from gateway.http_client import HttpClient, HttpError, HttpResponse

# The longest for a role that another role assumes (role chaining), as the task's own role does.
SESSION_SECONDS = 3600
VERSION = "2011-06-15"
_NAMESPACE = f"{{https://sts.amazonaws.com/doc/{VERSION}/}}"
_CONNECT_SECONDS = 2
_ANSWER_SECONDS = 5


class UnavailableError(CredentialsError):
    """STS gave no answer or was too busy; another try may succeed."""


class SecurityTokenService:
    """Assumes roles as this process's own role, through the STS endpoint of its region.

    session_name and tags mark the sessions, in CloudTrail and in cost reports. external_id is what the roles'
    trust policies ask for, if they do.
    """

    def __init__(
        self,
        http: HttpClient,
        own_credentials: CredentialSource,
        *,
        region: str,
        endpoint_url: str | None,
        session_name: str,
        external_id: str | None,
        tags: dict[str, str],
    ) -> None:
        self._http = http
        self._own_credentials = own_credentials
        self._region = region
        self._endpoint = (endpoint_url or f"https://sts.{region}.amazonaws.com").rstrip("/")
        self._parameters = {
            "Action": "AssumeRole",
            "Version": VERSION,
            "RoleSessionName": session_name,
            "DurationSeconds": str(SESSION_SECONDS),
        }
        if external_id is not None:
            self._parameters["ExternalId"] = external_id
        for number, (key, value) in enumerate(tags.items(), start=1):
            self._parameters[f"Tags.member.{number}.Key"] = key
            self._parameters[f"Tags.member.{number}.Value"] = value

    async def assume_role(self, role_arn: str) -> Credentials:
        """Return new credentials of a role; raises CredentialsError, UnavailableError if it may pass."""
        body = urlencode({**self._parameters, "RoleArn": role_arn}).encode()
        headers = {"content-type": "application/x-www-form-urlencoded"}
        headers |= sign(
            self._own_credentials.current(),
            service="sts",
            region=self._region,
            method="POST",
            host=urlsplit(self._endpoint).netloc,
            path="/",
            headers=headers,
            body=body,
        )
        try:
            async with asyncio.timeout(_ANSWER_SECONDS):
                response = await self._http.send(
                    "POST",
                    f"{self._endpoint}/",
                    headers=headers,
                    body=body,
                    connect_seconds=_CONNECT_SECONDS,
                )
        except (HttpError, TimeoutError) as error:
            raise UnavailableError(f"{role_arn} cannot be assumed: STS gave no answer: {error!r}") from None
        if response.status != 200:
            raise refusal(role_arn, response)
        return read_credentials("AssumeRole", role_arn, response.body)


def read_credentials(action: str, role_arn: str, body: bytes) -> Credentials:
    """The credentials in STS's answer to an action; raises UnavailableError."""
    try:
        found = _parse(body).find(f"{_NAMESPACE}{action}Result/{_NAMESPACE}Credentials")
        fields = {} if found is None else {child.tag: child.text or "" for child in found}
        return Credentials(
            access_key_id=fields[f"{_NAMESPACE}AccessKeyId"],
            secret_access_key=fields[f"{_NAMESPACE}SecretAccessKey"],
            session_token=fields[f"{_NAMESPACE}SessionToken"],
            expires_at=datetime.fromisoformat(fields[f"{_NAMESPACE}Expiration"]).timestamp(),
        )
    except (ElementTree.ParseError, KeyError, ValueError):
        raise UnavailableError(f"{role_arn} cannot be assumed: STS's answer holds no credentials") from None


def refusal(role_arn: str, response: HttpResponse) -> CredentialsError:
    """What STS says in place of credentials: an UnavailableError if it may pass."""
    try:
        error = _parse(response.body).find(f"{_NAMESPACE}Error")
    except ElementTree.ParseError:
        error = None
    code = message = ""
    if error is not None:
        code = error.findtext(f"{_NAMESPACE}Code", "")
        message = error.findtext(f"{_NAMESPACE}Message", "")
    text = f"{role_arn} cannot be assumed: STS answered with {response.status} {code}: {message[:500]}"
    may_pass = response.status >= 500 or response.status == 429 or "Throttl" in code
    return UnavailableError(text) if may_pass else CredentialsError(text)


def _parse(body: bytes) -> ElementTree.Element:
    # Not from just anyone: AWS itself wrote it, and expat bounds how far entities expand.
    return ElementTree.fromstring(body)  # noqa: S314 (as above)
