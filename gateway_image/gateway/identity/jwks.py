"""The keys that an issuer signs with: fetched in the background, kept while the issuer is away."""

import asyncio
import math
import random
import time
from collections.abc import Callable
from types import ModuleType
from typing import TYPE_CHECKING

import msgspec

from gateway.http_client import HttpClient, HttpError
from gateway.identity.issuers import Issuer, is_safe_url
from gateway.structured_log import StructuredLog

if TYPE_CHECKING:
    from gateway.identity.signatures import VerificationKey

_CONNECT_SECONDS = 2
_FETCH_SECONDS = 5
_REFRESH_SECONDS = 60 * 60
_RETRY_SECONDS = 15
# Tokens with made-up key IDs must not make the gateway ask the issuer all the time.
UNKNOWN_KEY_SECONDS = 10
_DOCUMENT_BYTES = 256 * 1024


class KeysUnavailableError(Exception):
    """The issuer's keys are not known now, so that nothing can be said of a token; the message says why."""

    def __init__(self, reason: str, retry_after_seconds: int) -> None:
        super().__init__(reason)
        self.retry_after_seconds = retry_after_seconds


class _Discovery(msgspec.Struct):
    issuer: str
    jwks_uri: str


class DocumentError(Exception):
    """What was fetched is of no use; the message says why."""


class IssuerKeys:
    """The latest keys of one issuer, by key ID.

    generation: changes whenever the keys do, so that what was verified with others can be forgotten.
    """

    def __init__(
        self,
        issuer: Issuer,
        http: HttpClient,
        log: StructuredLog,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._issuer = issuer
        self._http = http
        self._log = log
        self._clock = clock
        self._keys: dict[str, VerificationKey] = {}
        self._problem: str | None = "they have not been fetched yet"
        self._tried_at = -math.inf
        self._fetching: asyncio.Task[None] | None = None
        self.generation = 0

    def known(self, key_id: str) -> "VerificationKey | None":
        """Return a key at once, None if it is not among the latest ones."""
        return self._keys.get(key_id)

    async def find(self, key_id: str) -> "VerificationKey | None":
        """Return a key, None if the issuer has none of that ID; it is asked about one that is new.

        All who wait share one question, and there is none within `UNKNOWN_KEY_SECONDS` of the one before.
        Raises KeysUnavailableError if the issuer's latest keys are not known.
        """
        if key_id not in self._keys:
            if self._fetching is not None or self._clock() >= self._tried_at + UNKNOWN_KEY_SECONDS:
                await self.refresh()
            if key_id not in self._keys and self._problem is not None:
                wait = self._tried_at + UNKNOWN_KEY_SECONDS - self._clock()
                raise KeysUnavailableError(self._problem, max(1, math.ceil(wait)))
        return self._keys.get(key_id)

    async def keep_fresh(self) -> None:
        """Fetch the keys now and every hour, sooner after a failure, for ever."""
        try:
            while True:
                await self.refresh()
                seconds = _REFRESH_SECONDS if self._problem is None else _RETRY_SECONDS
                # The jitter keeps processes that started together from asking together.
                await asyncio.sleep(seconds * random.uniform(0.8, 1))  # noqa: S311 (no secret)
        finally:
            if self._fetching is not None:
                self._fetching.cancel()

    async def refresh(self) -> None:
        """Fetch the keys, or wait for the fetch that is under way; what fails is logged."""
        if self._fetching is None:
            self._tried_at = self._clock()
            self._fetching = asyncio.create_task(self._refresh())
            self._fetching.add_done_callback(self._fetched)
        # A caller that leaves must not take the others' answer with it.
        await asyncio.shield(self._fetching)

    def _fetched(self, _task: asyncio.Task[None]) -> None:
        self._fetching = None

    async def _refresh(self) -> None:
        try:
            async with asyncio.timeout(_FETCH_SECONDS):
                document = await self._fetch(await self._url())
                # What reads keys takes 0.1 s and more to load: beside the requests, and only for issuers.
                signatures = await asyncio.to_thread(_load_signatures)
                keys = signatures.read_keys(document, self._issuer)
        except TimeoutError:
            self._failed(f"no answer within {_FETCH_SECONDS} s")
        except (HttpError, DocumentError) as error:
            self._failed(str(error))
        else:
            self._problem = None
            if keys.keys() != self._keys.keys() or any(
                keys[key_id].key != self._keys[key_id].key for key_id in keys
            ):
                self.generation += 1
            self._keys = keys

    def _failed(self, reason: str) -> None:
        self._problem = reason
        self._log.write("warning", "signing_keys_not_fetched", issuer=self._issuer.issuer, reason=reason)

    async def _url(self) -> str:
        if (url := self._issuer.keys_url) is not None:
            return url
        try:
            found = msgspec.json.decode(await self._fetch(self._issuer.discovery_url), type=_Discovery)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise DocumentError("the discovery document cannot be read") from None
        if found.issuer not in self._issuer.names:
            raise DocumentError("the discovery document is another issuer's")
        if not is_safe_url(found.jwks_uri) or (
            self._issuer.issuer.startswith("https:") and not found.jwks_uri.startswith("https:")
        ):
            raise DocumentError("the discovery document's jwks_uri is not an https URL")
        return found.jwks_uri

    async def _fetch(self, url: str) -> bytes:
        """Fetch a document; redirects are not followed, for where they lead is nobody's promise."""
        body = b""
        async with self._http.stream(
            "GET",
            url,
            headers={"accept": "application/json"},
            body=b"",
            connect_seconds=_CONNECT_SECONDS,
            seconds=_FETCH_SECONDS,
        ) as response:
            if response.status != 200:
                raise DocumentError(f"status {response.status} from {url}")
            while chunk := await response.read_chunk():
                body += chunk
                if len(body) > _DOCUMENT_BYTES:
                    raise DocumentError(f"more than {_DOCUMENT_BYTES} bytes from {url}")
        return body


def _load_signatures() -> ModuleType:
    from gateway.identity import signatures

    return signatures
