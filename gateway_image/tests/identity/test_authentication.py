"""Whose key or token a request carries, in which header, from where, and what is said to everybody else."""

import asyncio
import json
import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import SecretStr

from gateway.authentication import Identity
from gateway.callers import Caller
from gateway.directory import Directory
from gateway.directory.snapshot import Snapshot
from gateway.errors import GatewayError
from gateway.http_client import HttpClient
from gateway.identity.errors import model_not_allowed
from gateway.identity.failed_attempts import FAILURES
from gateway.identity.key_format import digest, make_key
from gateway.request import CONNECTION, Request
from gateway.settings import Settings
from gateway.structured_log import StructuredLog
from local.token_issuer import CLIENT, MACHINE, TokenIssuer, assembled, part, public_jwk, sign

pytestmark = pytest.mark.anyio

BOOTSTRAP = "key-of-the-team-0123456789abcdefghij"
OTHER_BOOTSTRAP = "key-of-another-0123456789abcdefghijk"
KEY, NARROW_KEY, EXPIRED_KEY, ROTATED_KEY, REVOKED_KEY, BROKEN_KEY, LATE_KEY = (make_key() for _ in range(7))
NOW = datetime.now(UTC)


class KnownDirectory(Directory):
    """A directory that holds what it was given. newer: what happens in the database meanwhile."""

    def __init__(self, log: StructuredLog) -> None:
        super().__init__(NoDatabase(), log, known_seconds=0)
        self.known = True
        self.looks = 0
        self.newer: Callable[[], None] = lambda: None

    @property
    def is_known(self) -> bool:
        return self.known

    @property
    def snapshot(self) -> Snapshot:
        return self._snapshot

    async def catch_up(self) -> None:
        self.looks += 1
        self.newer()


class NoDatabase:
    def connection(self) -> Any:
        raise AssertionError("no request waits for the database")


def project(**values: Any) -> dict[str, Any]:
    usual = {"id": "proj_1", "name": "search", "limits": "{}", "models": None, "networks": None}
    return {**usual, "clients": [], "archived_at": None, **values}


def api_key(key_id: str, **values: Any) -> dict[str, Any]:
    usual: dict[str, Any] = {"id": key_id, "project_id": "proj_1", "name": f"name of {key_id}", "roles": []}
    usual |= {"limits": "{}", "models": None, "networks": None, "priority": "normal"}
    return {**usual, "expires_at": None, "revoked_at": None, **values}


def role(name: str, **values: Any) -> dict[str, Any]:
    return {"name": name, "limits": "{}", "model_limits": "{}", "models": None, "deleted_at": None, **values}


def secret(settings: Settings, key: str, key_id: str, expires_at: datetime | None = None) -> dict[str, Any]:
    hashing_secret = settings.key_hashing_secret.get_secret_value().encode()
    return {"digest": digest(hashing_secret, key), "key_id": key_id, "expires_at": expires_at}


@pytest.fixture
def settings(make_settings: Callable[..., Settings], server: TokenIssuer) -> Settings:
    issuer = server.issuer(project_claim="team", required_scope="gateway/invoke")
    keys = json.dumps({"team": {"key": BOOTSTRAP, "priority": "high"}, "other": OTHER_BOOTSTRAP})
    issuers = f"[{issuer.model_dump_json()}]"
    return make_settings().model_copy(update={"api_keys": SecretStr(keys), "identity_issuers": issuers})


@pytest.fixture
def directory(settings: Settings, log: StructuredLog) -> KnownDirectory:
    directory = KnownDirectory(log)
    snapshot = directory.snapshot
    clients = [f"{json.loads(settings.identity_issuers)[0]['issuer']}#{MACHINE}"]
    snapshot.take("projects", [project(clients=clients)])
    snapshot.take("roles", [role("analysts"), role("default", limits='{"requests_per_minute": 7}')])
    past, networks = NOW - timedelta(seconds=1), (ip_network("203.0.113.0/24"),)
    snapshot.take(
        "api_keys",
        [
            api_key("key_1"),
            api_key("key_narrow", networks=networks),
            api_key("key_expired", expires_at=past),
            api_key("key_revoked", revoked_at=past),
            api_key("key_broken", limits='{"requests_per_fortnight": 1}'),
        ],
    )
    snapshot.take(
        "api_key_secrets",
        [
            secret(settings, KEY, "key_1"),
            secret(settings, ROTATED_KEY, "key_1", past),
            secret(settings, NARROW_KEY, "key_narrow"),
            secret(settings, EXPIRED_KEY, "key_expired"),
            secret(settings, REVOKED_KEY, "key_revoked"),
            secret(settings, BROKEN_KEY, "key_broken"),
        ],
    )
    return directory


@pytest.fixture
def identity(settings: Settings, directory: KnownDirectory, http: HttpClient, log: StructuredLog) -> Identity:
    return Identity(settings, directory, http, log)


async def _unused(*_: Any) -> Any:
    raise AssertionError("authentication reads headers only")


def request(source: str = "198.51.100.1", **headers: str) -> Request:
    named = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()]
    scope = {
        "method": "POST",
        "path": "/v1/messages",
        "query_string": b"",
        "headers": named,
        "client": (source, 50000),
        "state": {CONNECTION: None},
    }
    return Request(scope, _unused, _unused)


def bearer(value: str, source: str = "198.51.100.1") -> Request:
    return request(source, authorization=f"Bearer {value}")


async def refusal(identity: Identity, given: Request) -> GatewayError:
    with pytest.raises(GatewayError) as caught:
        await identity.caller_of(given)
    assert given.record.caller is None
    return caught.value


# --- keys ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", [BOOTSTRAP, KEY], ids=["bootstrap", "stored"])
async def test_a_key_is_found_in_any_header_that_clients_use(identity: Identity, key: str) -> None:
    for headers in (
        {"authorization": f"Bearer {key}"},
        {"authorization": f"bearer  {key} "},
        {"x_api_key": key},
        {"api_key": f" {key}"},
        {"x_api_key": key, "authorization": f"Bearer {key}", "api_key": key},
        {"x_api_key": key, "authorization": "Basic dXNlcjpwYXNz"},
        {"x_api_key": "", "authorization": f"Bearer {key}"},
    ):
        given = request(**headers)
        caller = await identity.caller_of(given)
        assert caller.id == ("bootstrap:team" if key == BOOTSTRAP else "key_1")
        assert given.record.caller == caller.name


async def test_a_key_has_its_project_and_roles(identity: Identity) -> None:
    caller = await identity.caller_of(bearer(KEY))
    assert (caller.kind, caller.name) == ("key", "name of key_1")
    assert caller.project is not None
    assert caller.project.id == "proj_1"
    assert [each.name for each in caller.roles] == ["default"]
    assert (await identity.caller_of(bearer(BOOTSTRAP))).priority == "high"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": KEY},
        {"authorization": "Bearer "},
        {"authorization": "Basic dXNlcjpwYXNz"},
        {"x_api_key": " "},
    ],
)
async def test_without_credentials(identity: Identity, headers: dict[str, str]) -> None:
    error = await refusal(identity, request(**headers))
    assert (error.status, error.code) == (401, None)


async def test_different_credentials_in_one_request(
    identity: Identity, server: TokenIssuer, signing_keys: list[rsa.RSAPrivateKey]
) -> None:
    token = sign(server.claims(), signing_keys[0])
    for headers in (
        {"x_api_key": BOOTSTRAP, "authorization": f"Bearer {OTHER_BOOTSTRAP}"},
        {"x_api_key": KEY, "authorization": f"Bearer {BOOTSTRAP}"},
        {"x_api_key": "wrong", "api_key": KEY},
        {"x_api_key": KEY, "authorization": f"Bearer {token}"},
    ):
        error = await refusal(identity, request(**headers))
        assert (error.status, error.code) == (400, "ambiguous_credentials")
        assert KEY not in error.message


async def test_every_key_that_is_not_accepted_gets_the_same_answer(identity: Identity) -> None:
    keys = [
        make_key(),
        REVOKED_KEY,
        EXPIRED_KEY,
        ROTATED_KEY,
        KEY[:-1] + "!",
        "wrong",
        "schlüssel",
        "k" * 9000,
    ]
    answers = set()
    for number, key in enumerate(keys):
        given = bearer(key, f"192.0.2.{number}")
        error = await refusal(identity, given)
        answers.add((error.status, error.body(), error.retry_after_seconds, error.detail))
        names = [name for name, _ in given.response_headers]
        assert names == [name for name, _ in request().response_headers]
    assert len(answers) == 1
    assert error.status == 401


async def test_only_what_may_be_a_key_is_looked_up(identity: Identity, directory: KnownDirectory) -> None:
    mistyped = KEY[:20] + ("a" if KEY[20] != "a" else "b") + KEY[21:]
    await refusal(identity, bearer(mistyped))
    assert directory.looks == 0
    await refusal(identity, bearer(make_key()))
    assert directory.looks == 1


async def test_a_key_that_was_just_made_is_known_at_once(
    identity: Identity, directory: KnownDirectory, settings: Settings
) -> None:
    def newer() -> None:
        directory.snapshot.take("api_keys", [api_key("key_late")])
        directory.snapshot.take("api_key_secrets", [secret(settings, LATE_KEY, "key_late")])

    directory.newer = newer
    assert (await identity.caller_of(bearer(LATE_KEY))).id == "key_late"
    assert (await identity.caller_of(bearer(LATE_KEY))).id == "key_late"
    assert directory.looks == 1


async def test_while_nothing_is_known_nobody_is_called_unknown(
    identity: Identity,
    directory: KnownDirectory,
    server: TokenIssuer,
    signing_keys: list[rsa.RSAPrivateKey],
) -> None:
    directory.known = False
    for credential in (KEY, make_key(), sign(server.claims(), signing_keys[0])):
        error = await refusal(identity, bearer(credential))
        assert (error.status, error.code) == (503, "directory_unavailable")
        assert error.retry_after_seconds
    assert (await identity.caller_of(bearer(BOOTSTRAP))).id == "bootstrap:team"
    assert (await refusal(identity, bearer("wrong"))).status == 401


async def test_a_key_whose_record_cannot_be_read(identity: Identity) -> None:
    error = await refusal(identity, bearer(BROKEN_KEY))
    assert (error.status, error.code) == (503, "directory_record_unreadable")
    assert "key_broken" in (error.detail or "")
    assert "fortnight" not in error.message


async def test_keys_are_compared_by_digest_alone(identity: Identity) -> None:
    kept = json.dumps([repr(each) for each in vars(identity).values()])
    stored = {digest for digest in identity._bootstrap}
    assert all(len(each) == 32 for each in stored)
    for key in (BOOTSTRAP, OTHER_BOOTSTRAP):
        assert key not in kept
        assert key.encode() not in stored


# --- where from ----------------------------------------------------------------------------------


async def test_a_key_may_be_bound_to_networks(identity: Identity) -> None:
    assert await identity.caller_of(bearer(NARROW_KEY, "203.0.113.9"))
    assert await identity.caller_of(bearer(NARROW_KEY, "::ffff:203.0.113.9"))
    for source in ("198.51.100.1", "2001:db8::1", "unknown"):
        error = await refusal(identity, bearer(NARROW_KEY, source))
        assert (error.status, error.code) == (403, "address_not_allowed")


async def test_a_project_may_be_bound_to_networks(identity: Identity, directory: KnownDirectory) -> None:
    directory.snapshot.take("projects", [project(networks=(ip_network("203.0.113.0/28"),))])
    assert await identity.caller_of(bearer(KEY, "203.0.113.9"))
    assert (await refusal(identity, bearer(KEY, "203.0.113.99"))).status == 403
    assert (await refusal(identity, bearer(NARROW_KEY, "203.0.113.99"))).status == 403


# --- tokens --------------------------------------------------------------------------------------


async def test_a_person_signs_in(
    identity: Identity, server: TokenIssuer, signing_keys: list[rsa.RSAPrivateKey]
) -> None:
    claims = server.claims(team="search")
    caller = await identity.caller_of(bearer(sign(claims, signing_keys[0])))
    assert caller.id == f"user:{server.url}#{claims['sub']}"
    assert (caller.name, caller.kind) == ("ada", "user")
    assert [each.name for each in caller.roles] == ["analysts", "admin"]
    assert caller.is_admin
    assert caller.project is not None
    assert caller.project.name == "search"
    by_id = await identity.caller_of(bearer(sign(server.claims(team="proj_1"), signing_keys[0])))
    assert by_id.project is caller.project
    without = await identity.caller_of(bearer(sign(server.claims(), signing_keys[0])))
    assert without.project is None


async def test_a_person_of_a_project_that_is_not_there(
    identity: Identity, server: TokenIssuer, signing_keys: list[rsa.RSAPrivateKey]
) -> None:
    error = await refusal(identity, bearer(sign(server.claims(team="gone"), signing_keys[0])))
    assert (error.status, error.code) == (403, "unknown_project")
    assert "'team'" in error.message


async def test_a_person_without_known_roles_has_the_default_one(
    identity: Identity, server: TokenIssuer, signing_keys: list[rsa.RSAPrivateKey]
) -> None:
    token = sign(server.claims(**{"cognito:groups": ["unheard-of"]}), signing_keys[0])
    caller = await identity.caller_of(bearer(token))
    assert [each.name for each in caller.roles] == ["default"]
    assert not caller.is_admin


async def test_a_machine_calls_in_its_projects_name(
    identity: Identity, server: TokenIssuer, signing_keys: list[rsa.RSAPrivateKey]
) -> None:
    caller = await identity.caller_of(bearer(sign(server.machine_claims(), signing_keys[0])))
    assert (caller.id, caller.kind) == (f"client:{server.url}#{MACHINE}", "client")
    assert caller.project is not None
    assert caller.project.id == "proj_1"
    error = await refusal(identity, bearer(sign(server.machine_claims(scope="x"), signing_keys[0])))
    assert error.code == "insufficient_scope"


async def test_a_machine_without_a_project_is_told_what_to_do(
    identity: Identity, server: TokenIssuer, signing_keys: list[rsa.RSAPrivateKey]
) -> None:
    claims = server.machine_claims(sub=CLIENT, client_id=CLIENT)
    error = await refusal(identity, bearer(sign(claims, signing_keys[0])))
    assert (error.status, error.code) == (403, "client_without_project")
    assert f"{server.url}#{CLIENT}" in error.message


async def test_callers_keep_their_identity_by_another_name_of_the_issuer(
    make_settings: Callable[..., Settings],
    directory: KnownDirectory,
    http: HttpClient,
    log: StructuredLog,
    server: TokenIssuer,
    signing_keys: list[rsa.RSAPrivateKey],
) -> None:
    alias = "https://issuer-cognito-idp.us-east-1.amazonaws.com/us-east-1_EXAMPLE01"
    issuer = server.issuer(aliases=[alias])
    issuers = f"[{issuer.model_dump_json()}]"
    settings = make_settings().model_copy(update={"identity_issuers": issuers})
    identity = Identity(settings, directory, http, log)
    for claims in (server.claims(), server.machine_claims()):
        first = await identity.caller_of(bearer(sign(claims, signing_keys[0])))
        second = await identity.caller_of(bearer(sign({**claims, "iss": alias}, signing_keys[0])))
        assert first.id == second.id
        assert first.project == second.project


async def test_a_token_is_one_in_the_bearer_header_alone(
    identity: Identity, server: TokenIssuer, signing_keys: list[rsa.RSAPrivateKey]
) -> None:
    token = sign(server.claims(), signing_keys[0])
    assert (await refusal(identity, request(x_api_key=token))).code == "invalid_api_key"
    assert await identity.caller_of(request(x_api_key=token, authorization=f"Bearer {token}"))
    assert (await refusal(identity, bearer("a.b.c"))).code == "invalid_api_key"
    unsigned = f"{part({'alg': 'none'})}.{part({})}."
    assert (await refusal(identity, bearer(unsigned))).code == "invalid_token"


async def test_a_token_is_verified_once(
    identity: Identity,
    directory: KnownDirectory,
    server: TokenIssuer,
    signing_keys: list[rsa.RSAPrivateKey],
) -> None:
    token = sign(server.claims(), signing_keys[0])
    first = await identity.caller_of(bearer(token))
    assert await identity.caller_of(bearer(token)) is first
    # The whole token counts: a cache by its beginning would take these for the same.
    forged = token[:-6] + ("AAAAAA" if token[-6:] != "AAAAAA" else "BBBBBB")
    assert (await refusal(identity, bearer(forged))).code == "invalid_token"
    directory.snapshot.take("roles", [role("analysts", deleted_at=NOW)])
    directory.revision += 1
    again = await identity.caller_of(bearer(token))
    assert [each.name for each in again.roles] == ["admin"]
    assert server.requests == ["/keys"]


async def test_a_token_is_forgotten_when_the_issuers_keys_change(
    identity: Identity, server: TokenIssuer, signing_keys: list[rsa.RSAPrivateKey]
) -> None:
    token = sign(server.claims(), signing_keys[0])
    await identity.caller_of(bearer(token))
    server.keys = [public_jwk(signing_keys[1], "key-2")]
    await identity._tokens._keys[0].refresh()
    error = await refusal(identity, bearer(token))
    assert (error.status, error.detail) == (401, "the key ID is unknown")


# --- failed attempts -----------------------------------------------------------------------------


async def test_after_many_failures_only_valid_credentials_are_looked_at(
    identity: Identity,
    directory: KnownDirectory,
    server: TokenIssuer,
    signing_keys: list[rsa.RSAPrivateKey],
) -> None:
    known = sign(server.claims(), signing_keys[0])
    await identity.caller_of(bearer(known))
    for number in range(FAILURES):
        wrong = make_key() if number % 2 else sign(server.claims(aud="x"), signing_keys[0])
        assert (await refusal(identity, bearer(wrong))).status == 401
    looks, fetches = directory.looks, len(server.requests)
    # Long ago: what keeps the issuer from being asked is not that it was asked just now.
    identity._tokens._keys[0]._tried_at = -math.inf
    new_key_id = assembled({"alg": "RS256", "kid": "new"}, server.claims(), signing_keys[0])
    for wrong in (make_key(), "wrong", REVOKED_KEY, sign(server.claims(), signing_keys[1]), new_key_id):
        error = await refusal(identity, bearer(wrong))
        assert (error.status, error.code) == (429, "too_many_failed_attempts")
        assert error.retry_after_seconds
    assert (directory.looks, len(server.requests)) == (looks, fetches)
    # Others behind the same address, and this one with better credentials, go on.
    fresh = sign(server.claims(sub="somebody-else"), signing_keys[0])
    for right in (BOOTSTRAP, KEY, known, fresh):
        assert await identity.caller_of(bearer(right))
    assert (await refusal(identity, bearer("wrong", "203.0.113.9"))).status == 401


async def test_what_is_no_attempt_is_not_counted(identity: Identity, directory: KnownDirectory) -> None:
    for _ in range(FAILURES + 1):
        await refusal(identity, request())
        await refusal(identity, request(x_api_key="a", api_key="b"))
        await refusal(identity, bearer(NARROW_KEY))
        await refusal(identity, bearer(BROKEN_KEY))
        directory.known = False
        await refusal(identity, bearer(make_key()))
        directory.known = True
    assert (await refusal(identity, bearer("wrong"))).status == 401


async def test_what_a_caller_may_not_call_is_said_to_it() -> None:
    error = model_not_allowed(Caller("key_1", "ci", "key"), "claude-haiku-4-5")
    assert (error.status, error.code, error.param) == (403, "model_not_allowed", "model")
    assert "'claude-haiku-4-5'" in error.message


async def test_signing_keys_are_fetched_in_the_background(identity: Identity, server: TokenIssuer) -> None:
    task = asyncio.create_task(identity.keep_current())
    async with asyncio.timeout(30):
        while not server.requests:  # noqa: ASYNC110 (the server has no event)
            await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()


async def test_without_issuers_there_is_nothing_to_keep_current(
    make_settings: Callable[..., Settings], directory: KnownDirectory, http: HttpClient, log: StructuredLog
) -> None:
    await Identity(make_settings(), directory, http, log).keep_current()
