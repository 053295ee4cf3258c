"""Requests made up from the admin API's own description, sound and unsound ones, over HTTP.

FUZZ_EXAMPLES asks for a longer run: so many for each operation, and all at the edges of the document.
"""

import asyncio
import os
import socket
import threading
from collections.abc import Iterator
from typing import Any

import asyncpg
import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck
from hypothesis import settings as examples
from schemathesis.specs.openapi.checks import ignored_auth, negative_data_rejection, positive_data_acceptance
from schemathesis.specs.openapi.schemas import OpenApiSchema

from gateway.admin.document import document
from gateway.database import Database
from gateway.server import listen, serve_beside
from gateway.settings import Settings
from local.throwaway_servers import Postgres

EXAMPLES = os.environ.get("FUZZ_EXAMPLES")
PROJECT, KEY = "proj_0123456789abcdef", "key_0123456789abcdef"
IDS = {"projects": PROJECT, "keys": KEY, "roles": "developers"}
ADMIN = {"x-caller": "bootstrap:ops"}


@pytest.fixture(scope="module")
def url(postgres: Postgres, serving_settings: Settings, make_api: Any) -> Iterator[str]:
    """Where the API is served, by a thread of its own."""
    asyncio.run(_fill(postgres.dsn))
    listener, stop = listen("127.0.0.1", 0), threading.Event()
    serving = threading.Thread(target=lambda: asyncio.run(_serve(make_api, serving_settings, listener, stop)))
    serving.start()
    try:
        yield "http://{}:{}".format(*listener.getsockname()[:2])
    finally:
        stop.set()
        serving.join()


async def _serve(make_api: Any, settings: Settings, listener: socket.socket, stop: threading.Event) -> None:
    database = Database(settings)
    serving = asyncio.create_task(serve_beside(make_api(database, known=True).application, listener))
    await asyncio.to_thread(stop.wait)
    serving.cancel()
    await asyncio.wait({serving})
    await database.close()


async def _fill(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    await connection.execute("TRUNCATE projects, roles, api_keys, api_key_secrets")
    await connection.execute("INSERT INTO projects (id, name, version) VALUES ($1, 'p', 1)", PROJECT)
    await connection.execute(
        "INSERT INTO api_keys (id, project_id, name, version, created_by) VALUES ($1, $2, 'k', 1, 'x')",
        KEY,
        PROJECT,
    )
    await connection.execute("INSERT INTO roles (name, version) VALUES ('developers', 1)")
    await connection.close()


def _api() -> OpenApiSchema:
    whole = document()
    for path, methods in whole["paths"].items():
        for operation in methods.values():
            for parameter in operation.get("parameters", ()):
                if parameter["in"] == "path":
                    # So that sound requests get further than to a 404.
                    parameter["schema"] = {"enum": [IDS[path.split("/")[3]]]}
    api = schemathesis.openapi.from_dict(whole)
    api.config.generation.with_security_parameters = False
    api.config.phases.coverage.enabled = EXAMPLES is not None
    return api


@_api().parametrize()
@examples(
    max_examples=int(EXAMPLES or 10),
    deadline=None,
    suppress_health_check=list(HealthCheck),
    # Short runs are the same every time; long ones look for news.
    derandomize=EXAMPLES is None,
)
def test_any_request_is_answered_as_documented(case: Any, url: str) -> None:
    response = case.call(base_url=url, headers=ADMIN, timeout=60)
    # Whether a sound request can be met depends on what there is: a key may have been revoked meanwhile.
    excluded = [ignored_auth, positive_data_acceptance]
    if response.status_code == 412:
        # The header is looked at before the patched object is.
        excluded.append(negative_data_rejection)
    case.validate_response(response, excluded_checks=excluded)


def test_a_page_over_http(url: str) -> None:
    response = httpx.get(f"{url}/admin/v1/roles", headers=ADMIN)
    assert response.status_code == 200
    tagged = httpx.get(f"{url}/admin/v1/roles/admin", headers=ADMIN)
    again = httpx.get(
        f"{url}/admin/v1/roles/admin", headers=ADMIN | {"if-none-match": tagged.headers["etag"]}
    )
    assert (again.status_code, again.content) == (304, b"")
