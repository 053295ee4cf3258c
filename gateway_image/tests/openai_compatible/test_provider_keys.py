"""Keys from Secrets Manager: fetched, replaced, missing."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import pytest
from aiohttp import web

from gateway import provider_keys
from gateway.aws.credentials import Credentials, StaticCredentials
from gateway.catalog import Catalog
from gateway.http_client import HttpClient
from gateway.provider_keys import ProviderKeyError, ProviderKeys

StartServer = Callable[[Callable[[web.Request], Awaitable[web.StreamResponse]]], Awaitable[str]]

pytestmark = pytest.mark.anyio

SECRET = "gatehouse/test/provider"
OTHER = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:gatehouse/other-AbCdEf"


@dataclass
class SecretsManager:
    """Answers GetSecretValue."""

    secrets: dict[str, object]
    url: str = ""
    requests: list[web.Request] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        secret_id = json.loads(await request.read())["SecretId"]
        self.requests.append(request)
        value = self.secrets.get(secret_id)
        if value is None:
            return web.json_response({"__type": "com.amazonaws#ResourceNotFoundException"}, status=400)
        return web.json_response(
            {"SecretString": value} if isinstance(value, str) else {"SecretBinary": "AA=="}
        )


@pytest.fixture
async def secrets_manager(start_server: StartServer) -> SecretsManager:
    manager = SecretsManager({SECRET: "key-one"})
    manager.url = await start_server(manager.answer)
    return manager


@pytest.fixture
def keys(http: HttpClient, secrets_manager: SecretsManager) -> ProviderKeys:
    credentials = StaticCredentials(Credentials(access_key_id="AKIDTEST", secret_access_key="secret"))
    return ProviderKeys(http, credentials, "us-east-1", secrets_manager.url)


def _catalog(*secret_ids: str) -> Catalog:
    deployments = [
        {
            "name": f"deployment-{index}",
            "provider": "openai_compatible",
            "base_url": "https://provider.example.com/v1",
            "model": "their-model",
            "api_key_secret": secret_id,
        }
        for index, secret_id in enumerate(secret_ids)
    ]
    return Catalog.model_validate({"models": [{"name": "public-name", "deployments": deployments}]})


@asynccontextmanager
async def _kept_fresh(keys: ProviderKeys) -> AsyncIterator[None]:
    task = asyncio.create_task(keys.keep_fresh())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(2):
        while not is_so():  # noqa: ASYNC110 (what changes has no event to wait for)
            await asyncio.sleep(0.005)


async def _until_current(keys: ProviderKeys, key: str, secret_id: str = SECRET) -> None:
    def is_so() -> bool:
        with suppress(ProviderKeyError):
            return keys.current(secret_id) == key
        return False

    await _until(is_so)


async def test_keys_are_there_once_the_catalog_names_them(
    keys: ProviderKeys, secrets_manager: SecretsManager
) -> None:
    with pytest.raises(ProviderKeyError, match="not been fetched yet"):
        keys.current(SECRET)
    await keys.prepare_for(_catalog(SECRET))
    assert keys.current(SECRET) == "key-one"
    (request,) = secrets_manager.requests
    assert request.headers["x-amz-target"] == "secretsmanager.GetSecretValue"
    assert "/us-east-1/secretsmanager/aws4_request" in request.headers["authorization"]


async def test_a_secret_of_another_region_is_asked_for_there(
    keys: ProviderKeys, secrets_manager: SecretsManager
) -> None:
    secrets_manager.secrets[OTHER] = "key-two"
    await keys.prepare_for(_catalog(OTHER))
    assert keys.current(OTHER) == "key-two"
    assert "/eu-west-1/secretsmanager/" in secrets_manager.requests[0].headers["authorization"]


async def test_known_keys_are_not_fetched_for_a_new_catalog(
    keys: ProviderKeys, secrets_manager: SecretsManager
) -> None:
    await keys.prepare_for(_catalog(SECRET))
    await keys.prepare_for(_catalog(SECRET, SECRET))
    assert len(secrets_manager.requests) == 1


async def test_a_key_that_is_named_again_is_fetched_again(
    keys: ProviderKeys, secrets_manager: SecretsManager
) -> None:
    await keys.prepare_for(_catalog(SECRET))
    secrets_manager.secrets |= {SECRET: "key-two", OTHER: "key-three"}
    await keys.prepare_for(_catalog(OTHER))
    await keys.prepare_for(_catalog(SECRET))
    assert keys.current(SECRET) == "key-two"


@pytest.mark.parametrize(
    ("value", "key"), [("bare-key\n", "bare-key"), ('{"api_key": "key-in-json", "note": "x"}', "key-in-json")]
)
async def test_both_forms_of_secrets(
    keys: ProviderKeys, secrets_manager: SecretsManager, value: str, key: str
) -> None:
    secrets_manager.secrets[SECRET] = value
    await keys.prepare_for(_catalog(SECRET))
    assert keys.current(SECRET) == key


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (None, "status 400 ResourceNotFoundException"),
        (5, "holds bytes"),
        ("", "is empty"),
        ("two words-of-the-secret", "printable ASCII"),
        ('{"key": "words-of-the-secret"}', "api_key"),
        ('{"api_key": 5}', "api_key"),
        ("{words-of-the-secret", "api_key"),
        ("clé-words-of-the-secret", "printable ASCII"),
    ],
)
async def test_unusable_secrets_are_explained_but_not_shown(
    keys: ProviderKeys,
    secrets_manager: SecretsManager,
    caplog: pytest.LogCaptureFixture,
    value: object,
    problem: str,
) -> None:
    secrets_manager.secrets[SECRET] = value
    await keys.prepare_for(_catalog(SECRET))
    with pytest.raises(ProviderKeyError, match=problem) as caught:
        keys.current(SECRET)
    assert SECRET in str(caught.value)
    assert SECRET in caplog.text
    assert "words-of-the-secret" not in f"{caught.value}{caplog.text}"


async def test_one_missing_key_does_not_take_others_with_it(keys: ProviderKeys) -> None:
    await keys.prepare_for(_catalog("missing", SECRET))
    assert keys.current(SECRET) == "key-one"


async def test_a_refused_key_is_replaced_at_once(keys: ProviderKeys, secrets_manager: SecretsManager) -> None:
    await keys.prepare_for(_catalog(SECRET))
    async with _kept_fresh(keys):
        secrets_manager.secrets[SECRET] = "key-two"
        keys.rejected(SECRET)
        await _until_current(keys, "key-two")


async def test_a_key_that_stays_refused_is_not_asked_for_all_the_time(
    keys: ProviderKeys, secrets_manager: SecretsManager
) -> None:
    await keys.prepare_for(_catalog(SECRET))
    async with _kept_fresh(keys):
        for _ in range(50):
            keys.rejected(SECRET)
            await asyncio.sleep(0.001)
    assert len(secrets_manager.requests) == 2


async def test_a_rotated_key_is_picked_up_without_a_refusal(
    keys: ProviderKeys, secrets_manager: SecretsManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provider_keys, "_REFRESH_SECONDS", 0.05)
    await keys.prepare_for(_catalog(SECRET))
    async with _kept_fresh(keys):
        secrets_manager.secrets[SECRET] = "key-two"
        await _until_current(keys, "key-two")


async def test_a_missing_key_is_asked_for_again_and_the_others_still_refreshed(
    keys: ProviderKeys, secrets_manager: SecretsManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provider_keys, "_REFRESH_SECONDS", 0.2)
    monkeypatch.setattr(provider_keys, "_RETRY_SECONDS", 0.02)
    await keys.prepare_for(_catalog(SECRET, "late"))
    async with _kept_fresh(keys):
        secrets_manager.secrets[SECRET] = "key-two"
        await _until_current(keys, "key-two")
        secrets_manager.secrets["late"] = "key-three"
        await _until_current(keys, "key-three", "late")


async def test_the_last_key_stays_while_secrets_manager_is_away(
    keys: ProviderKeys, secrets_manager: SecretsManager
) -> None:
    await keys.prepare_for(_catalog(SECRET))
    async with _kept_fresh(keys):
        secrets_manager.secrets.clear()
        keys.rejected(SECRET)
        await _until(lambda: len(secrets_manager.requests) == 2)
    assert keys.current(SECRET) == "key-one"


async def test_a_silent_secrets_manager_is_given_up(
    http: HttpClient, start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(request: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(provider_keys, "_FETCH_SECONDS", 0.05)
    credentials = StaticCredentials(Credentials(access_key_id="AKIDTEST", secret_access_key="secret"))
    keys = ProviderKeys(http, credentials, "us-east-1", await start_server(never))
    await keys.prepare_for(_catalog(SECRET))
    with pytest.raises(ProviderKeyError, match="no answer within"):
        keys.current(SECRET)
