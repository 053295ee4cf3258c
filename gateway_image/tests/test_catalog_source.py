import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from gateway import catalog_source as module
from gateway.aws.credentials import Credentials, StaticCredentials
from gateway.catalog_source import CatalogError, load_catalog
from gateway.http_client import HttpClient
from gateway.settings import Settings

pytestmark = pytest.mark.anyio

StartServer = Callable[[Callable[[web.Request], Awaitable[web.Response]]], Awaitable[str]]
CREDENTIALS = StaticCredentials(Credentials(access_key_id="AKID", secret_access_key="secret"))
CATALOG = {
    "models": [
        {
            "name": "nova",
            "max_output_tokens": 100,
            "deployments": [
                {
                    "name": "nova-us",
                    "provider": "bedrock",
                    "region": "us-east-1",
                    "model_id": "us.amazon.nova-lite-v1:0",
                }
            ],
        }
    ]
}


def settings(source: str, **others: Any) -> Settings:
    values = {"models_source": source, "region": "eu-central-1", "appconfig_endpoint_url": None, **others}
    return Settings.model_construct(**values)


async def test_a_file(http: HttpClient, tmp_path: Path) -> None:
    file = tmp_path / "the models.json"
    file.write_text(json.dumps(CATALOG))
    catalog = await load_catalog(settings(file.as_uri()), http, CREDENTIALS)
    assert [model.name for model in catalog.models] == ["nova"]


async def test_a_file_that_is_not_there(http: HttpClient) -> None:
    with pytest.raises(CatalogError, match=r"/nowhere/models.json cannot be read: No such file"):
        await load_catalog(settings("file:///nowhere/models.json"), http, CREDENTIALS)


async def test_every_problem_of_a_catalog_is_told(http: HttpClient, tmp_path: Path) -> None:
    broken: Any = json.loads(json.dumps(CATALOG))
    broken["models"][0]["max_output_tokens"] = 0
    broken["models"][0]["deployments"][0]["regoin"] = "us-east-1"
    file = tmp_path / "models.json"
    file.write_text(json.dumps(broken))
    with pytest.raises(CatalogError) as caught:
        await load_catalog(settings(file.as_uri()), http, CREDENTIALS)
    assert "models.0.max_output_tokens" in str(caught.value)
    assert "models.0.deployments.0.regoin" in str(caught.value)


async def test_appconfig(http: HttpClient, start_server: StartServer) -> None:
    token = "a+token/with=signs"

    async def serve(request: web.Request) -> web.Response:
        assert "Credential=AKID/" in request.headers["authorization"]
        assert "/eu-central-1/appconfig/aws4_request" in request.headers["authorization"]
        if request.path == "/configurationsessions":
            assert await request.json() == {
                "ApplicationIdentifier": "gateway",
                "EnvironmentIdentifier": "prod",
                "ConfigurationProfileIdentifier": "models",
            }
            return web.json_response({"InitialConfigurationToken": token}, status=201)
        assert request.path == "/configuration"
        assert request.query["configuration_token"] == token
        return web.json_response(CATALOG)

    source = settings("appconfig://gateway/prod/models", appconfig_endpoint_url=await start_server(serve))
    catalog = await load_catalog(source, http, CREDENTIALS)
    assert catalog.models[0].deployments[0].name == "nova-us"


async def test_what_appconfig_refuses_is_told(http: HttpClient, start_server: StartServer) -> None:
    async def serve(_: web.Request) -> web.Response:
        return web.json_response({"Message": "Application gateway could not be found"}, status=404)

    source = settings("appconfig://gateway/prod/models", appconfig_endpoint_url=await start_server(serve))
    with pytest.raises(CatalogError, match=r"appconfig://gateway/prod/models: .*404: .*could not be found"):
        await load_catalog(source, http, CREDENTIALS)


async def test_appconfig_that_is_silent(
    http: HttpClient, start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def serve(_: web.Request) -> web.Response:
        await asyncio.sleep(60)
        return web.Response()

    monkeypatch.setattr(module, "_FETCH_SECONDS", 0.05)
    source = settings("appconfig://gateway/prod/models", appconfig_endpoint_url=await start_server(serve))
    with pytest.raises(CatalogError, match=r"no answer within 0.05 s"):
        await load_catalog(source, http, CREDENTIALS)
