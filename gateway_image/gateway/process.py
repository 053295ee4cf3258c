"""One gateway process: puts the parts together, serves and drains."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from gateway.api_keys import parse_api_keys
from gateway.application import Application, Routes
from gateway.aws.credentials import CredentialsError, load_credentials
from gateway.cache import Cache
from gateway.catalog import Catalog
from gateway.catalog_source import CatalogError, load_catalog
from gateway.chat_completions import ChatCompletions
from gateway.database import Database
from gateway.health import Health
from gateway.http_client import HttpClient
from gateway.models import Models
from gateway.providers.bedrock.client import BedrockClient
from gateway.reachability import Reachability
from gateway.server import ServerError, serve
from gateway.settings import Settings
from gateway.structured_log import StructuredLog

Work = Callable[[], Awaitable[None]]

_RESTART_SECONDS = 1


class StartError(Exception):
    """The process cannot serve; the message says why."""


async def run(settings: Settings, log: StructuredLog) -> None:
    """Serve until SIGTERM or SIGINT, then drain; raises StartError."""
    stop = _stop_on_signals(log)
    http, cache, database = HttpClient(), Cache(settings), Database(settings)
    try:
        await _serve(settings, log, stop, http, Reachability(cache.ping, database.ping, log))
    except (CredentialsError, CatalogError, ServerError) as error:
        raise StartError(str(error)) from error
    finally:
        await asyncio.gather(http.close(), cache.close(), database.close())
    log.write("info", "stopped")


async def _serve(
    settings: Settings, log: StructuredLog, stop: asyncio.Event, http: HttpClient, reachability: Reachability
) -> None:
    credentials = await load_credentials(os.environ, http)
    catalog = await load_catalog(settings, http, credentials)
    bedrock = BedrockClient(http, credentials, settings.bedrock_endpoint_url)
    application = Application(_routes(settings, catalog, bedrock, Health(reachability, stop)), log)
    async with _in_background(log, credentials.keep_fresh, reachability.watch):
        log.write("info", "serving", environment=settings.environment, port=settings.port)
        await serve(
            application,
            host=settings.host,
            port=settings.port,
            stop=stop,
            drain_seconds=settings.drain_seconds,
        )


def _routes(settings: Settings, catalog: Catalog, bedrock: BedrockClient, health: Health) -> Routes:
    keys = parse_api_keys(settings.api_keys.get_secret_value())
    chat = ChatCompletions(catalog, keys, bedrock, body_limit_bytes=settings.request_body_limit_bytes)
    return {
        "/v1/chat/completions": {"POST": chat.create},
        "/v1/models": {"GET": Models(catalog, keys).list},
        "/health/live": {"GET": health.live},
        "/health/ready": {"GET": health.ready},
    }


def _stop_on_signals(log: StructuredLog) -> asyncio.Event:
    stop = asyncio.Event()

    def begin(signal_name: str) -> None:
        log.write("info", "draining", signal=signal_name)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, begin, number.name)
    return stop


@asynccontextmanager
async def _in_background(log: StructuredLog, *work: Work) -> AsyncIterator[None]:
    """Run work beside what happens inside. Work that fails is logged and started again."""
    tasks = [asyncio.create_task(_persist(log, each)) for each in work]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def _persist(log: StructuredLog, work: Work) -> None:
    while True:
        try:
            return await work()
        # Whatever it was: without this work, credentials would expire while the gateway looks healthy.
        except Exception as error:  # noqa: BLE001
            log.write_exception("background_task_failed", error)
        await asyncio.sleep(_RESTART_SECONDS)
