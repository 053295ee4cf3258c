"""The admin API over ASGI, with a real database."""

import asyncio
import io
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote, urlencode

import asyncpg
import pytest

from gateway.admin.parts import AdminParts
from gateway.admin.routes import admin_routes
from gateway.application import Application
from gateway.callers import ADMIN_ROLE, Caller, Role, Subject
from gateway.catalog import Catalog
from gateway.database import Database
from gateway.errors import GatewayError
from gateway.limits import DIMENSIONS, Limits, amount
from gateway.metrics import Metrics
from gateway.migrations.serving_user import prepare_serving_user
from gateway.migrations.upgrade import upgrade
from gateway.request import CONNECTION, Request
from gateway.routing.states import States
from gateway.settings import Settings
from gateway.structured_log import StructuredLog
from local.throwaway_servers import DATABASE, DATABASE_PASSWORD, Postgres, throwaway_postgres

SERVING_USER = "serving"
HASHING_SECRET = "a-secret-for-hashing-keys-in-tests"
ADMIN = Caller("bootstrap:ops", "ops", "bootstrap", roles=(Role(ADMIN_ROLE),))
CATALOG = {
    "models": [
        {
            "name": "claude",
            "deployments": [
                {
                    "name": "claude-us",
                    "provider": "bedrock",
                    "region": "us-east-1",
                    "model_id": "us.anthropic.claude-haiku-4-5-20251001-v1:0",
                    "price": {"input_usd": 1, "output_usd": 5},
                }
            ],
        },
        {
            "name": "own",
            "deployments": [
                {
                    "name": "own-llm",
                    "provider": "openai_compatible",
                    "base_url": "https://llm.example/v1",
                    "model": "own",
                    "api_key_secret": "where-the-key-is",
                }
            ],
        },
    ]
}
TABLES = (
    "projects, roles, api_keys, api_key_secrets, audit_log, idempotency_keys, "
    "usage, usage_hourly, usage_monthly"
)


@dataclass
class Answered:
    """An answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> dict[str, Any]:
        error: dict[str, Any] = self.json["error"]
        return error

    @property
    def data(self) -> list[dict[str, Any]]:
        data: list[dict[str, Any]] = self.json["data"]
        return data


class Counters:
    """Counters that have counted the same for every limit."""

    def __init__(self) -> None:
        self.used = 0
        self.asked: list[tuple[Subject, Limits]] = []

    async def standing(self, limits: Sequence[tuple[Subject, Limits]]) -> "list[Standing]":
        self.asked = list(limits)
        return [
            Standing(subject, name, limit, self.used, None if name == "usd_total" else 30)
            for subject, each in limits
            for name in DIMENSIONS
            if (limit := amount(each, name)) is not None
        ]


@dataclass
class Standing:
    """What is used of a limit."""

    subject: Subject
    name: str
    limit: int
    used: int
    reset_seconds: int | None


class Exchange:
    """Nobody else is told of cooldowns."""

    def tell(self, cooldown: object) -> None:
        return


@dataclass
class Api:
    """The admin API as its callers see it. caller: who calls unless a request says otherwise."""

    application: Application
    parts: AdminParts
    counters: Counters
    log: io.BytesIO
    caller: Caller = ADMIN
    callers: dict[str, Caller] = field(default_factory=dict)

    async def send(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        raw: bytes | None = None,
        caller: Caller | None = None,
        query: Mapping[str, object] | None = None,
        **headers: Any,
    ) -> Answered:
        caller = caller or self.caller
        self.callers[caller.id] = caller
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if raw is None:
            raw = b"" if body is None else json.dumps(body).encode()
        if raw:
            sent = {"content-type": "application/json", "content-length": str(len(raw))} | sent
            sent = {name: value for name, value in sent.items() if value is not None}
        scope = {
            "type": "http",
            "method": method,
            "path": unquote(path),
            "query_string": urlencode(query or {}, quote_via=quote).encode(),
            "headers": [
                (b"x-caller", caller.id.encode()),
                *((n.encode(), v.encode()) for n, v in sent.items()),
            ],
            "client": ("192.0.2.7", 4711),
            "state": {CONNECTION: self},
        }
        incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        incoming.put_nowait({"type": "http.request", "body": raw, "more_body": False})
        messages: list[MutableMapping[str, Any]] = []

        async def keep(message: MutableMapping[str, Any]) -> None:
            messages.append(message)

        await self.application(scope, incoming.get, keep)
        names = {name.decode(): value.decode() for name, value in messages[0]["headers"]}
        return Answered(messages[0]["status"], names, b"".join(each["body"] for each in messages[1:]))

    async def get(self, path: str, **query: object) -> Answered:
        return await self.send("GET", path, query=query)

    async def post(self, path: str, body: object = None, **headers: Any) -> Answered:
        return await self.send("POST", path, body, **headers)

    async def patch(self, path: str, body: object, **headers: Any) -> Answered:
        return await self.send("PATCH", path, body, **headers)

    async def put(self, path: str, body: object, **headers: Any) -> Answered:
        return await self.send("PUT", path, body, **headers)

    async def delete(self, path: str, **headers: Any) -> Answered:
        return await self.send("DELETE", path, **headers)

    async def project(self, name: str = "search", **fields: object) -> dict[str, Any]:
        answer = await self.post("/admin/v1/projects", {"name": name, **fields})
        assert answer.status == 201, answer.body
        project: dict[str, Any] = answer.json
        return project

    async def key(self, project_id: str, name: str = "ci", **fields: object) -> dict[str, Any]:
        answer = await self.post("/admin/v1/keys", {"project_id": project_id, "name": name, **fields})
        assert answer.status == 201, answer.body
        key: dict[str, Any] = answer.json
        return key

    has_all = False

    def when_lost(self, act: Callable[[], None]) -> None:
        """Callers here stay."""

    def forget(self, act: Callable[[], None]) -> None:
        """Callers here stay."""


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with throwaway_postgres() as server:
        asyncio.run(_prepare(server.dsn))
        yield server


async def _prepare(dsn: str) -> None:
    await upgrade(lambda: asyncpg.connect(dsn))
    connection = await asyncpg.connect(dsn)
    await prepare_serving_user(connection, SERVING_USER, DATABASE_PASSWORD)
    await connection.close()


@pytest.fixture(scope="session")
def serving_settings(postgres: Postgres, make_settings: Callable[..., Settings]) -> Settings:
    """Those of a process that has the least rights it needs in the database."""
    return make_settings(
        database_host="127.0.0.1",
        database_port=postgres.port,
        database_name=DATABASE,
        database_tls=False,
        database_username=SERVING_USER,
        database_password=DATABASE_PASSWORD,
        key_hashing_secret=HASHING_SECRET,
    )


@pytest.fixture
async def sql(postgres: Postgres) -> AsyncIterator[asyncpg.Connection]:
    """A connection of the test's own, to a database that is empty at first."""
    connection = await asyncpg.connect(postgres.dsn)
    await connection.execute(f"TRUNCATE {TABLES}")
    yield connection
    await connection.close()


@pytest.fixture
async def api(serving_settings: Settings, sql: asyncpg.Connection) -> AsyncIterator[Api]:
    database = Database(serving_settings)
    yield _make_api(database)
    await database.close()


def _make_api(database: Database, *, known: bool = False) -> Api:
    callers: dict[str, Caller] = {ADMIN.id: ADMIN} if known else {}

    async def identify(request: Request) -> Caller:
        caller = callers.get(request.header(b"x-caller") or "")
        if caller is None:
            raise GatewayError(401, "Who are you?", type="invalid_request_error")
        return caller

    counters, catalog, log = Counters(), Catalog.model_validate(CATALOG), io.BytesIO()
    states = States(Exchange())
    states.adopt(deployment for model in catalog.models for deployment in model.deployments)
    parts = AdminParts(
        identify=identify,
        database=database,
        counters=counters,
        catalog=lambda: catalog,
        states=states,
        bootstrap_callers={ADMIN.id: ADMIN},
        key_hashing_secret=HASHING_SECRET.encode(),
    )
    application = Application(admin_routes(parts), StructuredLog(log, "info"), Metrics(), set())
    return Api(application, parts, counters, log, callers=callers)


@pytest.fixture(scope="session")
def make_api() -> Callable[..., Api]:
    """Makes an API over a database; known: its admin is known before it calls."""
    return _make_api


@pytest.fixture
def ask_without_database(make_settings: Callable[..., Settings]) -> Callable[..., Awaitable[Answered]]:
    """Asks an API whose database is away."""

    async def ask(method: str, path: str, body: object = None) -> Answered:
        database = Database(
            make_settings(
                database_host="127.0.0.1",
                database_port=1,
                database_tls=False,
                key_hashing_secret=HASHING_SECRET,
            )
        )
        try:
            return await _make_api(database).send(method, path, body)
        finally:
            await database.close()

    return ask
