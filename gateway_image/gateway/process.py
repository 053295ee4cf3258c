"""One gateway process: puts the parts together, serves and drains."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

from gateway import openapi
from gateway.api_keys import parse_api_keys
from gateway.application import Application, Routes, Running
from gateway.aws.credentials import CredentialsError, load_credentials
from gateway.body_memory import BodyMemory
from gateway.cache.connection import Cache
from gateway.catalog_source import CatalogError
from gateway.chat_completions import ChatCompletions
from gateway.connection import ConnectionRules
from gateway.database import Database
from gateway.embeddings import Embeddings
from gateway.gauges import add_gauges
from gateway.health import Health
from gateway.http_client import HttpClient
from gateway.intake import Intake
from gateway.load_shedding import LoadShedding
from gateway.memory import keep_collections_short
from gateway.messages import Messages
from gateway.metrics import Metrics
from gateway.metrics_page import MetricsPage
from gateway.model_service import ModelService
from gateway.models import Models
from gateway.reachability import Reachability
from gateway.responses import Responses
from gateway.server import ServerError, listen, serve, serve_beside
from gateway.settings import Settings
from gateway.shutdown import Shutdown, end_with_standard_input, shutdown_on_signals
from gateway.structured_log import StructuredLog
from gateway.workers import Worker

Work = Callable[[], Awaitable[None]]

_RESTART_SECONDS = 1


class StartError(Exception):
    """The process cannot serve; the message says why."""


async def run(settings: Settings, log: StructuredLog, worker: Worker | None = None) -> None:
    """Serve, alone or as one of several workers, until SIGTERM or SIGINT, then drain; raises StartError."""
    shutdown = shutdown_on_signals(log)
    if worker is not None:
        end_with_standard_input(shutdown, log)
    http, cache, database = HttpClient(), Cache(settings), Database(settings)
    try:
        reachability = Reachability(cache.ping, database.ping, log)
        await _serve(settings, log, shutdown, http, cache, reachability, worker)
    except (CredentialsError, CatalogError, ServerError) as error:
        raise StartError(str(error)) from error
    finally:
        await asyncio.gather(http.close(), database.close())
    log.write("info", "stopped")


async def _serve(
    settings: Settings,
    log: StructuredLog,
    shutdown: Shutdown,
    http: HttpClient,
    cache: Cache,
    reachability: Reachability,
    worker: Worker | None,
) -> None:
    credentials = await load_credentials(os.environ, http)
    service = ModelService(settings, http, credentials, cache, log)
    metrics, running = Metrics(), Running()
    shedding = LoadShedding(
        running, metrics.count_refusal, max_concurrent_requests=settings.max_concurrent_requests
    )
    add_gauges(metrics, running=running, shedding=shedding, service=service, reachability=reachability)
    routes = _routes(settings, service, shedding, Health(reachability, shutdown))
    async with _in_background(log, cache.stay_connected, reachability.watch, *service.background):
        await service.start()
        listener, metrics_listener = _listeners(settings, worker)
        collection = partial(serve_beside, MetricsPage(metrics.registry), metrics_listener)
        keep_collections_short()
        async with _in_background(log, service.follow_catalog, shedding.watch, collection):
            log.write("info", "serving", environment=settings.environment, port=settings.port)
            await serve(
                Application(routes, log, metrics, running),
                listener,
                ConnectionRules(write_stall_seconds=settings.write_stall_seconds),
                shutdown,
                lame_duck_seconds=settings.lame_duck_seconds,
                drain_seconds=settings.drain_seconds,
            )


def _listeners(settings: Settings, worker: Worker | None) -> tuple[socket.socket, socket.socket]:
    """Where callers come in, and where metrics are collected."""
    if worker is None:
        return listen(settings.host, settings.port), listen(settings.host, settings.metrics_port)
    return socket.socket(fileno=worker.listener), listen(settings.host, settings.metrics_port + worker.index)


def _routes(settings: Settings, service: ModelService, shedding: LoadShedding, health: Health) -> Routes:
    keys = parse_api_keys(settings.api_keys.get_secret_value())
    intake = Intake(
        keys,
        shedding,
        BodyMemory(settings.request_bodies_limit_bytes),
        body_limit_bytes=settings.request_body_limit_bytes,
        json_depth_limit=settings.request_json_depth_limit,
    )
    chat = ChatCompletions(intake, service.answering)
    embeddings = Embeddings(intake, service.answering)
    messages = Messages(intake, service.answering)
    models = Models(intake, service.answering)
    return {
        "/v1/chat/completions": {"POST": chat.create},
        "/openai/deployments/{model}/chat/completions": {"POST": chat.create},
        "/v1/embeddings": {"POST": embeddings.create},
        "/openai/deployments/{model}/embeddings": {"POST": embeddings.create},
        "/v1/responses": {"POST": Responses(intake, service.answering).create},
        "/v1/messages": {"POST": messages.create},
        "/v1/messages/count_tokens": {"POST": messages.count_tokens},
        "/v1/models": {"GET": models.list},
        "/v1/models/{model}": {"GET": models.retrieve},
        "/openapi.json": {"GET": openapi.describe},
        "/health/live": {"GET": health.live},
        "/health/ready": {"GET": health.ready},
    }


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
