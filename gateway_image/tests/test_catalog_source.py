"""The catalog's way into the process, at its start and while it runs."""

import asyncio
import io
import json
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from gateway.aws import appconfig
from gateway.aws.credentials import Credentials, StaticCredentials
from gateway.catalog import Catalog
from gateway.catalog_source import CatalogError, CatalogWatch, catalog_watch
from gateway.http_client import HttpClient
from gateway.settings import Settings
from gateway.structured_log import StructuredLog
from gateway.watched_file import WatchedFile

pytestmark = pytest.mark.anyio

StartServer = Callable[[Callable[[web.Request], Awaitable[web.Response]]], Awaitable[str]]
CREDENTIALS = StaticCredentials(Credentials(access_key_id="AKID", secret_access_key="secret"))
SOURCE = "appconfig://gateway/prod/models"


def document(*names: str) -> dict[str, Any]:
    deployment = {"provider": "bedrock", "region": "us-east-1", "model_id": "us.amazon.nova-lite-v1:0"}
    return {
        "models": [{"name": name, "deployments": [deployment | {"name": f"{name}-us"}]} for name in names]
    }


class Events:
    """What the watch logged, and the catalogs it put into service."""

    def __init__(self) -> None:
        self.stream = io.BytesIO()
        self.log = StructuredLog(self.stream, "info")
        self.served: list[list[str]] = []

    def written(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.stream.getvalue().splitlines()]

    async def on_change(self, catalog: Catalog) -> None:
        self.served.append([model.name for model in catalog.models])

    async def until(self, event: str) -> dict[str, Any]:
        async with asyncio.timeout(5):
            while event not in [line["event"] for line in self.written()]:  # noqa: ASYNC110 (a stream has none)
                await asyncio.sleep(0.005)
        (line,) = [line for line in self.written() if line["event"] == event]
        return line


@pytest.fixture
def events() -> Events:
    return Events()


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(WatchedFile, "poll_seconds", 0.01)
    monkeypatch.setattr(appconfig, "_POLL_SECONDS", 0.01)
    monkeypatch.setattr("gateway.retry._FIRST_PAUSE_SECONDS", 0.01)


def watch_over(source: str, http: HttpClient, events: Events, endpoint: str | None = None) -> CatalogWatch:
    settings = Settings.model_construct(
        models_source=source, region="eu-central-1", appconfig_endpoint_url=endpoint
    )
    return catalog_watch(settings, http, CREDENTIALS, events.log)


class AppConfig:
    """AppConfig's data plane: sessions whose tokens are good once, and answers only when something is new."""

    def __init__(self) -> None:
        self.content = json.dumps(document("nova"))
        self.status: int | None = None
        self.sessions = 0
        self._tokens: dict[str, str | None] = {}

    async def __call__(self, request: web.Request) -> web.Response:
        assert "Credential=AKID/" in request.headers["authorization"]
        assert "/eu-central-1/appconfig/aws4_request" in request.headers["authorization"]
        if self.status is not None:
            return web.json_response({"Message": "could not be found"}, status=self.status)
        if request.path == "/configurationsessions":
            body = await request.json()
            body.pop("RequiredMinimumPollIntervalInSeconds")
            assert body == {
                "ApplicationIdentifier": "gateway",
                "EnvironmentIdentifier": "prod",
                "ConfigurationProfileIdentifier": "models",
            }
            self.sessions += 1
            return web.json_response({"InitialConfigurationToken": self._token(None)}, status=201)
        assert request.path == "/configuration"
        seen = self._tokens.pop(request.query["configuration_token"])
        headers = {"Next-Poll-Configuration-Token": self._token(self.content)}
        return web.Response(text="" if seen == self.content else self.content, headers=headers)

    def _token(self, seen: str | None) -> str:
        token = f"a+token/with=signs {len(self._tokens)} {os.urandom(4).hex()}"
        self._tokens[token] = seen
        return token


async def test_a_file(http: HttpClient, tmp_path: Path, events: Events) -> None:
    file = tmp_path / "the models.json"
    file.write_text(json.dumps(document("nova")))
    watch = watch_over(file.as_uri(), http, events)
    await watch.start()
    assert [model.name for model in watch.current.models] == ["nova"]


async def test_a_file_that_is_not_there(http: HttpClient, events: Events) -> None:
    with pytest.raises(CatalogError, match=r"^file:///nowhere/models.json: cannot be read: .*No such file"):
        await watch_over("file:///nowhere/models.json", http, events).start()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"models": []}', "\ufeff"])
async def test_a_file_that_is_no_catalog(
    http: HttpClient, tmp_path: Path, events: Events, content: str
) -> None:
    file = tmp_path / "models.json"
    file.write_text(content)
    with pytest.raises(CatalogError, match=r"models\.json: (the document|models): "):
        await watch_over(file.as_uri(), http, events).start()


async def test_every_problem_of_a_catalog_is_told(http: HttpClient, tmp_path: Path, events: Events) -> None:
    broken = document("nova", "lite")
    broken["models"][0]["max_output_tokens"] = 0
    broken["models"][0]["deployments"][0]["regoin"] = "us-east-1"
    file = tmp_path / "models.json"
    file.write_text(json.dumps(broken))
    with pytest.raises(CatalogError) as caught:
        await watch_over(file.as_uri(), http, events).start()
    assert [problem.partition(":")[0] for problem in caught.value.problems] == [
        "models.0.max_output_tokens",
        "models.0.deployments.0.bedrock.regoin",
    ]


async def test_a_changed_file_is_served_and_a_broken_one_is_not(
    http: HttpClient, tmp_path: Path, events: Events
) -> None:
    file = tmp_path / "models.json"
    file.write_text(json.dumps(document("nova")))
    watch = watch_over(file.as_uri(), http, events)
    await watch.start()
    watching = asyncio.create_task(watch.watch(events.on_change))

    file.write_text(json.dumps(document("nova", "lite")))
    changed = await events.until("catalog_changed")
    assert changed["models"] == ["nova", "lite"]
    assert events.served == [["nova", "lite"]]

    broken = document("nova", "nova")
    file.write_text(json.dumps(broken))
    refused = await events.until("catalog_refused")
    assert refused["level"] == "error"
    assert [problem.partition(" is ")[0] for problem in refused["problems"]] == [
        "models[1].name",
        "models[1].deployments[0].name",
    ]
    assert [model.name for model in watch.current.models] == ["nova", "lite"]
    assert len(events.served) == 1

    other = tmp_path / "other.json"
    other.write_text(json.dumps(document("pro")))
    other.replace(file)
    async with asyncio.timeout(5):
        while events.served[-1] != ["pro"]:  # noqa: ASYNC110 (what is waited for has no event)
            await asyncio.sleep(0.005)
    watching.cancel()


async def test_a_file_that_is_gone_or_the_same_again_changes_nothing(
    http: HttpClient, tmp_path: Path, events: Events
) -> None:
    file = tmp_path / "models.json"
    text = json.dumps(document("nova"))
    file.write_text(text)
    watch = watch_over(file.as_uri(), http, events)
    await watch.start()
    watching = asyncio.create_task(watch.watch(events.on_change))
    file.unlink()
    unreachable = await events.until("catalog_unreachable")
    assert "No such file" in unreachable["problem"]
    await asyncio.sleep(0.05)
    file.write_text(text)
    await asyncio.sleep(0.1)
    assert len(events.written()) == 1
    assert events.served == []
    watching.cancel()


async def test_a_file_is_read_only_when_it_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "models.json"
    path.write_bytes(b"first")
    file = WatchedFile(path)
    assert await file.fetch() == b"first"
    assert await file.fetch() is None
    path.write_bytes(b"half of the s")
    assert await file.fetch() is None
    path.write_bytes(b"half of the second")
    assert await file.fetch() is None
    assert await file.fetch() == b"half of the second"


async def test_appconfig(http: HttpClient, start_server: StartServer, events: Events) -> None:
    service = AppConfig()
    watch = watch_over(SOURCE, http, events, await start_server(service))
    await watch.start()
    assert watch.current.models[0].deployments[0].name == "nova-us"
    watching = asyncio.create_task(watch.watch(events.on_change))
    service.content = json.dumps(document("lite"))
    await events.until("catalog_changed")
    assert events.served == [["lite"]]
    assert service.sessions == 1
    watching.cancel()


async def test_appconfig_says_how_often_to_ask(
    http: HttpClient, start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(appconfig, "_POLL_SECONDS", 30)

    async def serve(request: web.Request) -> web.Response:
        if request.method == "POST":
            assert (await request.json())["RequiredMinimumPollIntervalInSeconds"] == 30
            return web.json_response({"InitialConfigurationToken": "token"}, status=201)
        return web.Response(text="{}", headers={"Next-Poll-Interval-In-Seconds": "45"})

    profile = appconfig.AppConfigProfile(
        http,
        CREDENTIALS,
        application="gateway",
        environment="prod",
        profile="models",
        region="eu-central-1",
        endpoint_url=await start_server(serve),
    )
    assert profile.poll_seconds == 30
    await profile.fetch()
    assert profile.poll_seconds == 45


async def test_appconfig_s_failures_change_nothing_and_a_new_session_goes_on(
    http: HttpClient, start_server: StartServer, events: Events
) -> None:
    service = AppConfig()
    watch = watch_over(SOURCE, http, events, await start_server(service))
    await watch.start()
    watching = asyncio.create_task(watch.watch(events.on_change))
    service.status = 400
    unreachable = await events.until("catalog_unreachable")
    assert "answered GET /configuration with 400" in unreachable["problem"]
    await asyncio.sleep(0.05)
    service.status = None
    service.content = json.dumps(document("lite"))
    await events.until("catalog_changed")
    assert [line["event"] for line in events.written()] == ["catalog_unreachable", "catalog_changed"]
    assert service.sessions == 2
    watching.cancel()


async def test_a_start_outlasts_a_moment_without_appconfig(
    http: HttpClient, start_server: StartServer, events: Events
) -> None:
    service = AppConfig()
    statuses: list[int | None] = [500, 429, None]

    async def serve(request: web.Request) -> web.Response:
        service.status = statuses.pop(0) if statuses else None
        return await service(request)

    watch = watch_over(SOURCE, http, events, await start_server(serve))
    await watch.start()
    assert watch.current.models[0].name == "nova"


async def test_what_appconfig_refuses_is_told(
    http: HttpClient, start_server: StartServer, events: Events
) -> None:
    service = AppConfig()
    service.status = 404
    with pytest.raises(CatalogError, match=r"appconfig://gateway/prod/models: .*404: .*could not be found"):
        await watch_over(SOURCE, http, events, await start_server(service)).start()


async def test_appconfig_that_is_silent(
    http: HttpClient, start_server: StartServer, events: Events, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def serve(_: web.Request) -> web.Response:
        await asyncio.sleep(60)
        return web.Response()

    monkeypatch.setattr(appconfig, "_ANSWER_SECONDS", 0.05)
    with pytest.raises(CatalogError, match=r"no answer within 0.05 s"):
        await watch_over(SOURCE, http, events, await start_server(serve)).start()


async def test_what_cannot_be_put_into_service_is_not_current(
    http: HttpClient, tmp_path: Path, events: Events
) -> None:
    file = tmp_path / "models.json"
    file.write_text(json.dumps(document("nova")))
    watch = watch_over(file.as_uri(), http, events)
    await watch.start()

    async def fails(_: Catalog) -> None:
        raise RuntimeError

    watching = asyncio.create_task(watch.watch(fails))
    file.write_text(json.dumps(document("lite")))
    with pytest.raises(RuntimeError):
        await asyncio.wait_for(watching, 5)
    assert watch.current.models[0].name == "nova"
