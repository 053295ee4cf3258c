"""Who is calling: the API key or the token of a request, in whichever header the APIs' clients send it."""

import asyncio
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from gateway.callers import Caller, Project
from gateway.directory import Directory, RecordError
from gateway.errors import GatewayError
from gateway.http_client import HttpClient
from gateway.identity import errors, key_format
from gateway.identity.bootstrap_keys import MAXIMUM_KEY_LENGTH, by_digest, parse_api_keys
from gateway.identity.claims import Bearer, read_bearer
from gateway.identity.failed_attempts import FailedAttempts
from gateway.identity.issuers import Issuer, parse_issuers
from gateway.identity.tokens import Tokens, looks_like_token
from gateway.identity.verified_tokens import VerifiedTokens, Versions
from gateway.request import Request
from gateway.settings import Settings
from gateway.structured_log import StructuredLog

# Anthropic's clients send the first; Azure's and DIAL's the second.
_KEY_HEADERS = (b"x-api-key", b"api-key")


class _Credential(NamedTuple):
    value: str
    is_token: bool


class Identity:
    """Knows callers by their credentials."""

    def __init__(
        self, settings: Settings, directory: Directory, http: HttpClient, log: StructuredLog
    ) -> None:
        self._hashing_secret = settings.key_hashing_secret.get_secret_value().encode()
        self._bootstrap: Mapping[bytes, Caller] = by_digest(
            parse_api_keys(settings.api_keys.get_secret_value()), self._hashing_secret
        )
        self._directory = directory
        self._tokens = Tokens(parse_issuers(settings.identity_issuers), http, log)
        self._verified = VerifiedTokens()
        self._failed = FailedAttempts()

    @property
    def bootstrap_callers(self) -> Mapping[str, Caller]:
        """Whom the bootstrap keys belong to, by ID."""
        return {caller.id: caller for caller in self._bootstrap.values()}

    async def keep_current(self) -> None:
        """Keep the issuers' signing keys fresh, for ever."""
        async with asyncio.TaskGroup() as group:
            for keep_fresh in self._tokens.background:
                group.create_task(keep_fresh())

    async def caller_of(self, request: Request) -> Caller:
        """Return the caller of a request and name it in the request's record.

        Raises GatewayError: 400 for several credentials, 401 for none and for invalid ones, 403 for a caller
        that may not call from there or without a project, 429 after too many failures from one address, 503
        while it cannot be known who calls.
        """
        credential = _credential(request)
        try:
            if credential.is_token:
                caller = await self._caller_of_token(credential.value, request)
            else:
                caller = await self._caller_of_key(credential.value, request)
        except RecordError as error:
            raise errors.unreadable_record(str(error)) from None
        if not _may_come(caller, request):
            raise errors.address_not_allowed()
        request.record.caller = caller.name
        return caller

    async def _caller_of_key(self, key: str, request: Request) -> Caller:
        if len(key) <= MAXIMUM_KEY_LENGTH:
            digest = key_format.digest(self._hashing_secret, key)
            if (caller := self._bootstrap.get(digest)) is not None:
                return caller
            # The checksum tells what can be no key; that needs no look-up.
            if key_format.is_well_formed(key):
                return await self._caller_of_digest(digest, request)
        self._refuse_after_failures(request)
        raise self._failure(errors.invalid_api_key(), request)

    async def _caller_of_digest(self, digest: bytes, request: Request) -> Caller:
        directory = self._directory
        if not directory.is_known:
            raise errors.directory_unavailable()
        caller = directory.key(digest)
        if caller is None:
            self._refuse_after_failures(request)
            # It may be newer than what is known.
            await directory.catch_up()
            caller = directory.key(digest)
        if caller is None:
            raise self._failure(errors.invalid_api_key(), request)
        return caller

    async def _caller_of_token(self, token: str, request: Request) -> Caller:
        if not self._directory.is_known:
            raise errors.directory_unavailable()
        if (caller := self._verified.get(token, self._versions())) is not None:
            return caller
        seconds = self._failed.seconds_to_wait(request.source_address)
        try:
            verified = await self._tokens.verify(token, known_keys_only=seconds > 0)
            bearer = read_bearer(verified.claims, verified.issuer)
        except GatewayError as error:
            if error.status != 401:
                raise
            if seconds:
                raise errors.too_many_failed_attempts(seconds) from None
            raise self._failure(error, request) from None
        caller = self._caller_of_bearer(bearer, verified.issuer)
        # Nothing was waited for since the key was found: these are the versions it was judged by.
        self._verified.put(token, caller, verified.expires_at, self._versions())
        return caller

    def _versions(self) -> Versions:
        return self._directory.revision, self._tokens.generation

    def _caller_of_bearer(self, bearer: Bearer, issuer: Issuer) -> Caller:
        # By the issuer's first name, so that whoever comes by another keeps its limits and its use.
        return Caller(
            f"{bearer.kind}:{issuer.issuer}#{bearer.id}",
            bearer.name,
            bearer.kind,
            project=self._project(bearer, issuer),
            roles=self._directory.roles(bearer.roles),
        )

    def _project(self, bearer: Bearer, issuer: Issuer) -> Project | None:
        if bearer.kind == "client":
            project = self._directory.project_of_client(issuer.issuer, bearer.id)
            if project is None:
                raise errors.client_without_project(issuer.issuer, bearer.id)
            return project
        if bearer.project is None:
            return None
        project = self._directory.project(bearer.project)
        if project is None:
            raise errors.unknown_project(issuer.project_claim or "")
        return project

    def _refuse_after_failures(self, request: Request) -> None:
        if seconds := self._failed.seconds_to_wait(request.source_address):
            raise errors.too_many_failed_attempts(seconds)

    def _failure(self, error: GatewayError, request: Request) -> GatewayError:
        self._failed.note(request.source_address)
        return error


def _may_come(caller: Caller, request: Request) -> bool:
    # Most callers may come from anywhere: where they come from need not be read then.
    if caller.networks is None and (caller.project is None or caller.project.networks is None):
        return True
    address = request.source_address
    return address is not None and caller.may_come_from(address)


def _credential(request: Request) -> _Credential:
    """The one credential of a request; raises GatewayError 400, 401."""
    given = list(_credentials(request))
    if len(given) == 1:
        return given[0]
    if not given:
        raise errors.no_credentials()
    if len({credential.value for credential in given}) > 1:
        raise errors.ambiguous_credentials()
    # One that came as a bearer too was looked at there.
    return max(given)


def _credentials(request: Request) -> Iterator[_Credential]:
    scheme, _, value = (request.header(b"authorization") or "").partition(" ")
    if scheme.lower() == "bearer" and (value := value.strip()):
        yield _Credential(value, looks_like_token(value))
    for name in _KEY_HEADERS:
        if value := (request.header(name) or "").strip():
            yield _Credential(value, is_token=False)
