"""The API keys of model providers, from AWS Secrets Manager.

They are fetched when a catalog names them and again every few minutes, so that a key that is replaced
there is picked up without a restart, and no request waits for it. A key that cannot be fetched fails the
deployments that need it and no others.
"""

import asyncio
import logging
import random
import re
import time
from urllib.parse import urlsplit

import msgspec

from gateway.aws.credentials import CredentialsError, CredentialSource
from gateway.aws.signature import sign
from gateway.catalog import Catalog, OpenAICompatibleDeployment
from gateway.http_client import HttpClient, HttpError

_LOG = logging.getLogger(__name__)

_CONNECT_SECONDS = 3
_FETCH_SECONDS = 10
_REFRESH_SECONDS = 5 * 60
_RETRY_SECONDS = 15
# Providers that refuse a key that is the latest one must not make the gateway ask for it all the time.
_REJECTED_SECONDS = 15
_ARN_REGION = re.compile(r"arn:aws[a-z-]*:secretsmanager:([a-z0-9-]+):")
# What an HTTP header may carry.
_KEY = re.compile(r"[\x21-\x7e]{1,4096}")


class ProviderKeyError(Exception):
    """There is no usable key; the message says why, without the secret's value."""


class _Secret(msgspec.Struct):
    value: str | None = msgspec.field(name="SecretString", default=None)


class _Problem(msgspec.Struct):
    type: str = msgspec.field(name="__type", default="")


class _KeyObject(msgspec.Struct):
    api_key: str


class ProviderKeys:
    """The latest key of each secret that the catalog names."""

    def __init__(
        self, http: HttpClient, credentials: CredentialSource, region: str, endpoint_url: str | None
    ) -> None:
        self._http = http
        self._credentials = credentials
        self._region = region
        self._endpoint_url = endpoint_url
        self._keys: dict[str, str] = {}
        self._problems: dict[str, str] = {}
        self._wanted: frozenset[str] = frozenset()
        self._rejected_at: dict[str, float] = {}
        self._wake = asyncio.Event()

    def current(self, secret_id: str) -> str:
        """Return the latest key at once; raises ProviderKeyError if there is none."""
        key = self._keys.get(secret_id)
        if key is None:
            problem = self._problems.get(secret_id, "it has not been fetched yet")
            raise ProviderKeyError(f"no API key from the secret {secret_id}: {problem}")
        return key

    def rejected(self, secret_id: str) -> None:
        """Note that a provider refused a key: a newer one may be there already."""
        now = time.monotonic()
        if now - self._rejected_at.get(secret_id, -_REJECTED_SECONDS) >= _REJECTED_SECONDS:
            self._rejected_at[secret_id] = now
            self._wake.set()

    async def prepare_for(self, catalog: Catalog) -> None:
        """Fetch the keys that a catalog names and that are not there yet, or have not been kept fresh.

        What fails is logged and tried again by `keep_fresh`.
        """
        kept_fresh = self._wanted & self._keys.keys()
        self._wanted = frozenset(
            deployment.api_key_secret
            for model in catalog.models
            for deployment in model.deployments
            if isinstance(deployment, OpenAICompatibleDeployment) and deployment.api_key_secret is not None
        )
        await self._refresh(self._wanted - kept_fresh)

    async def keep_fresh(self) -> None:
        """Fetch all keys every few minutes, sooner if one is missing or was refused, for ever."""
        all_due_at = _next_refresh()
        while True:
            missing = self._wanted - self._keys.keys()
            pause_seconds = all_due_at - time.monotonic()
            if missing:
                pause_seconds = min(pause_seconds, _RETRY_SECONDS)
            if await self._woken_within(pause_seconds) or time.monotonic() >= all_due_at:
                await self._refresh(self._wanted)
                all_due_at = _next_refresh()
            else:
                await self._refresh(missing)

    async def _woken_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            return False
        self._wake.clear()
        return True

    async def _refresh(self, secret_ids: frozenset[str]) -> None:
        await asyncio.gather(*(self._refresh_one(secret_id) for secret_id in secret_ids))

    async def _refresh_one(self, secret_id: str) -> None:
        try:
            self._keys[secret_id] = _key(await self._fetch(secret_id))
        except ProviderKeyError as error:
            # An older key goes on being used: it may be good still.
            self._problems[secret_id] = str(error)
            _LOG.warning("no new API key from the secret %s: %s", secret_id, error)

    async def _fetch(self, secret_id: str) -> str:
        arn = _ARN_REGION.match(secret_id)
        region = arn[1] if arn else self._region
        endpoint = (self._endpoint_url or f"https://secretsmanager.{region}.amazonaws.com").rstrip("/")
        body = msgspec.json.encode({"SecretId": secret_id})
        headers = {
            "content-type": "application/x-amz-json-1.1",
            "x-amz-target": "secretsmanager.GetSecretValue",
        }
        try:
            headers |= sign(
                self._credentials.current(),
                service="secretsmanager",
                region=region,
                method="POST",
                host=urlsplit(endpoint).netloc,
                path="/",
                headers=headers,
                body=body,
            )
            async with asyncio.timeout(_FETCH_SECONDS):
                response = await self._http.send(
                    "POST", f"{endpoint}/", headers=headers, body=body, connect_seconds=_CONNECT_SECONDS
                )
        except TimeoutError:
            raise ProviderKeyError(f"Secrets Manager gave no answer within {_FETCH_SECONDS} s") from None
        except (HttpError, CredentialsError) as error:
            raise ProviderKeyError(f"Secrets Manager cannot be asked: {error}") from None
        if response.status != 200:
            raise ProviderKeyError(_refusal(response.status, response.body))
        return _value(response.body)


def _next_refresh() -> float:
    # The jitter keeps processes that started together from asking together.
    return time.monotonic() + _REFRESH_SECONDS * random.uniform(0.8, 1)  # noqa: S311 (no secret)


def _refusal(status: int, body: bytes) -> str:
    try:
        problem = msgspec.json.decode(body, type=_Problem).type.rpartition("#")[2]
    except (msgspec.MsgspecError, UnicodeDecodeError):
        problem = ""
    return f"Secrets Manager answered with status {status} {problem}".rstrip()


def _value(body: bytes) -> str:
    try:
        value = msgspec.json.decode(body, type=_Secret).value
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise ProviderKeyError("Secrets Manager's answer cannot be read") from None
    if value is None:
        raise ProviderKeyError("the secret holds bytes; store the key as text")
    return value


def _key(value: str) -> str:
    """The key in a secret's value: the value itself, or the field api_key of a JSON object."""
    key = value.strip()
    if key.startswith("{"):
        try:
            key = msgspec.json.decode(key, type=_KeyObject).api_key.strip()
        except msgspec.MsgspecError:
            raise ProviderKeyError(
                'the secret is not {"api_key": "<key>"}; store that, or the bare key'
            ) from None
    if not _KEY.fullmatch(key):
        raise ProviderKeyError("the secret is empty or holds more than printable ASCII; store the key alone")
    return key
