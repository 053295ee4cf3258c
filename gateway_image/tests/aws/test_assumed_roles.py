"""Roles of other accounts, assumed through an STS that verifies signatures as the real one does."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

import pytest
from aiohttp import web

from gateway.aws import assumed_roles as module
from gateway.aws.assumed_roles import CredentialsByRole, credentials_by_role
from gateway.aws.credentials import Credentials, CredentialsError, StaticCredentials
from gateway.catalog import Catalog
from gateway.http_client import HttpClient
from gateway.settings import Settings
from local.bedrock_simulator import sessions
from local.bedrock_simulator.faults import RoleRefused
from local.bedrock_simulator.simulator import Simulator

pytestmark = pytest.mark.anyio

ROLE = "arn:aws:iam::222222222222:role/models"
OTHER_ROLE = "arn:aws:iam::333333333333:role/models"
NEXT_ROLE = "arn:aws:iam::333333333333:role/next"
OTHER_ROLE_SECONDS = 30  # how long sessions of these two last
ASKING_ROLE = "arn:aws:iam::222222222222:role/asking"
UNKNOWN_ROLE = "arn:aws:iam::444444444444:role/models"
OWN = Credentials(access_key_id="AKIDOWN", secret_access_key="own-secret")

MakeCatalog = Callable[..., Catalog]
StartServer = Callable[[Callable[[web.Request], Awaitable[web.Response]]], Awaitable[str]]


@pytest.fixture
def credentials(http: HttpClient, simulator_url: str) -> CredentialsByRole:
    return _credentials(http, simulator_url)


class Clock:
    """The time of the gateway and of STS, as far ahead of the machine's as a test sets it."""

    ahead = 0.0

    def time(self) -> float:
        return time.time() + self.ahead


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    monkeypatch.setattr(sessions, "time", clock)
    return clock


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_CHECK_SECONDS", 0.01)
    monkeypatch.setattr(module, "_RETRY_SECONDS", 0.05)
    monkeypatch.setattr("gateway.retry._FIRST_PAUSE_SECONDS", 0.01)


def _credentials(
    http: HttpClient, sts_url: str, environment: str = "prod", external_id: str | None = None
) -> CredentialsByRole:
    settings = Settings.model_construct(
        environment=environment,
        region="eu-central-1",
        sts_endpoint_url=sts_url,
        role_external_id=external_id,
    )
    return credentials_by_role(settings, http, StaticCredentials(OWN))


async def _eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 (what is waited for has no event)
            await asyncio.sleep(0.01)


async def test_a_role_is_assumed_once_for_all_its_deployments(
    credentials: CredentialsByRole, simulator: Simulator, catalog_with: MakeCatalog
) -> None:
    await credentials.prepare_for(catalog_with(ROLE, ROLE, None))
    found = credentials.current(ROLE)
    session = simulator.authenticator.sessions.find(found.access_key_id)
    assert session is not None
    assert (found.secret_access_key, found.session_token) == (session.secret, session.token)
    assert session.principal == "arn:aws:sts::222222222222:assumed-role/models/gatehouse-prod"
    assert session.tags == {"project": "gatehouse", "environment": "prod"}
    assert len(simulator.log.since(0)) == 1
    assert credentials.current(None) == OWN


@pytest.mark.parametrize(
    ("external_id", "assumed"), [("gatehouse-prod", True), ("other", False), (None, False)]
)
async def test_a_role_that_asks_for_an_external_id_is_told_the_configured_one(
    http: HttpClient,
    simulator_url: str,
    catalog_with: MakeCatalog,
    external_id: str | None,
    assumed: bool,
) -> None:
    credentials = _credentials(http, simulator_url, external_id=external_id)
    await credentials.prepare_for(catalog_with(ROLE, ASKING_ROLE))
    assert credentials.current(ROLE)
    if assumed:
        assert credentials.current(ASKING_ROLE)
    else:
        with pytest.raises(CredentialsError, match="AccessDenied"):
            credentials.current(ASKING_ROLE)


async def test_the_session_lasts_the_hour_that_role_chaining_allows(
    credentials: CredentialsByRole, catalog_with: MakeCatalog
) -> None:
    await credentials.prepare_for(catalog_with(ROLE))
    expires_at = credentials.current(ROLE).expires_at
    assert expires_at is not None
    assert expires_at - time.time() == pytest.approx(3600, abs=5)


async def test_the_call_goes_to_the_region_s_own_endpoint_and_is_signed_for_it(
    credentials: CredentialsByRole, simulator: Simulator, catalog_with: MakeCatalog
) -> None:
    await credentials.prepare_for(catalog_with(ROLE))
    (call,) = simulator.log.since(0)
    assert (call.operation, call.model, call.region, call.status) == ("AssumeRole", ROLE, "eu-central-1", 200)


async def test_a_session_name_holds_only_what_sts_takes(
    http: HttpClient, simulator: Simulator, simulator_url: str, catalog_with: MakeCatalog
) -> None:
    credentials = _credentials(http, simulator_url, environment="Müller & Söhne " * 9)
    await credentials.prepare_for(catalog_with(ROLE))
    session = simulator.authenticator.sessions.find(credentials.current(ROLE).access_key_id)
    assert session is not None
    name = session.principal.rpartition("/")[2]
    assert name.startswith("gatehouse-M-ller---S-hne-")
    assert len(name) == 64


async def test_a_role_that_is_refused_fails_alone_and_is_logged(
    credentials: CredentialsByRole, catalog_with: MakeCatalog, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        await credentials.prepare_for(catalog_with(ROLE, UNKNOWN_ROLE))
    assert credentials.current(ROLE)
    with pytest.raises(CredentialsError, match=r"no valid credentials of .*444444444444.* 403 AccessDenied"):
        credentials.current(UNKNOWN_ROLE)
    assert UNKNOWN_ROLE in caplog.text
    assert credentials.current(None) == OWN


async def test_a_busy_sts_is_asked_again_and_a_refusal_is_not(
    credentials: CredentialsByRole, simulator: Simulator, catalog_with: MakeCatalog
) -> None:
    simulator.faults.add(RoleRefused(error="Throttling", role_arn=ROLE, times=2))
    simulator.faults.add(RoleRefused(error="AccessDenied", role_arn=OTHER_ROLE))
    await credentials.prepare_for(catalog_with(ROLE, OTHER_ROLE))
    assert credentials.current(ROLE)
    asked = [call.model for call in simulator.log.since(0)]
    assert (asked.count(ROLE), asked.count(OTHER_ROLE)) == (3, 1)


async def test_a_role_is_assumed_again_in_the_last_third_of_its_session(
    credentials: CredentialsByRole, catalog_with: MakeCatalog, clock: Clock
) -> None:
    await credentials.prepare_for(catalog_with(ROLE, OTHER_ROLE))
    lasting, ending = credentials.current(ROLE), credentials.current(OTHER_ROLE)
    clock.ahead = OTHER_ROLE_SECONDS * 0.7
    refresher = asyncio.create_task(credentials.keep_fresh())
    # Without a gap: `current` raises if there ever is one.
    await _eventually(lambda: credentials.current(OTHER_ROLE) != ending)
    refresher.cancel()
    assert credentials.current(ROLE) == lasting


async def test_an_expired_session_that_cannot_be_renewed_is_not_used_and_recovers(
    credentials: CredentialsByRole, simulator: Simulator, catalog_with: MakeCatalog, clock: Clock
) -> None:
    await credentials.prepare_for(catalog_with(ROLE, OTHER_ROLE))
    refused = simulator.faults.add(RoleRefused(role_arn=OTHER_ROLE))
    refresher = asyncio.create_task(credentials.keep_fresh())

    def is_usable() -> bool:
        try:
            return bool(credentials.current(OTHER_ROLE))
        except CredentialsError:
            return False

    clock.ahead = OTHER_ROLE_SECONDS
    await _eventually(lambda: len(simulator.log.since(0)) > 2)
    assert not is_usable()
    assert credentials.current(ROLE)
    simulator.faults.clear(refused)
    await _eventually(is_usable)
    refresher.cancel()


async def test_a_role_that_failed_at_first_is_there_later(
    credentials: CredentialsByRole, simulator: Simulator, catalog_with: MakeCatalog
) -> None:
    refused = simulator.faults.add(RoleRefused(role_arn=ROLE))
    await credentials.prepare_for(catalog_with(ROLE))
    simulator.faults.clear(refused)
    await credentials.prepare_for(catalog_with(ROLE))
    assert credentials.current(ROLE)


async def test_a_role_that_left_the_catalog_serves_running_requests_and_is_renewed_no_more(
    credentials: CredentialsByRole, simulator: Simulator, catalog_with: MakeCatalog, clock: Clock
) -> None:
    await credentials.prepare_for(catalog_with(OTHER_ROLE))
    await credentials.prepare_for(catalog_with(NEXT_ROLE))
    assert credentials.current(OTHER_ROLE)
    refresher = asyncio.create_task(credentials.keep_fresh())
    clock.ahead = OTHER_ROLE_SECONDS
    await _eventually(lambda: [call.model for call in simulator.log.since(0)].count(NEXT_ROLE) > 1)
    refresher.cancel()
    with pytest.raises(CredentialsError):
        credentials.current(OTHER_ROLE)
    assert [call.model for call in simulator.log.since(0)].count(OTHER_ROLE) == 1


async def test_an_sts_that_is_silent_delays_the_start_by_seconds_only(
    http: HttpClient, start_server: StartServer, catalog_with: MakeCatalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(_: web.Request) -> web.Response:
        await asyncio.sleep(60)
        return web.Response()

    monkeypatch.setattr(module, "_PREPARE_SECONDS", 0.1)
    credentials = _credentials(http, await start_server(hang))
    async with asyncio.timeout(2):
        await credentials.prepare_for(catalog_with(ROLE))
    with pytest.raises(CredentialsError, match="not been assumed yet"):
        credentials.current(ROLE)


@pytest.mark.parametrize("body", [b"", b"<html>", b"<AssumeRoleResponse/>", b"\xff\xfe", b"{}"])
async def test_an_odd_answer_is_no_credentials(
    http: HttpClient, start_server: StartServer, catalog_with: MakeCatalog, body: bytes
) -> None:
    async def serve(_: web.Request) -> web.Response:
        return web.Response(body=body)

    credentials = _credentials(http, await start_server(serve))
    await credentials.prepare_for(catalog_with(ROLE))
    with pytest.raises(CredentialsError, match="holds no credentials"):
        credentials.current(ROLE)
