"""One gateway process: puts the parts together, serves and drains."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from gateway.accounting import row_of
from gateway.application import Application, Running
from gateway.aws.credentials import CredentialsError, load_credentials
from gateway.catalog_source import CatalogError
from gateway.connection import ConnectionRules
from gateway.gauges import add_gauges
from gateway.health import Health
from gateway.http_client import HttpClient
from gateway.load_shedding import LoadShedding
from gateway.memory import keep_collections_short
from gateway.metrics import Metrics
from gateway.metrics_page import MetricsPage
from gateway.parts import Parts, Work, build_parts
from gateway.request_record import RequestRecord
from gateway.routes import all_routes
from gateway.server import ServerError, listen, serve, serve_beside
from gateway.settings import Settings
from gateway.shutdown import Shutdown, end_with_standard_input, shutdown_on_signals
from gateway.structured_log import StructuredLog
from gateway.workers import Worker

_RESTART_SECONDS = 1
# What is seldom asked for is loaded when the first answers have been given.
_FIRST_ANSWERS_SECONDS = 1
# How long the last rows may take to reach the ledger: within the 120 s that ECS gives, after draining.
_LEDGER_SECONDS = 5


class StartError(Exception):
    """The process cannot serve; the message says why."""


async def run(settings: Settings, log: StructuredLog, worker: Worker | None = None) -> None:
    """Serve, alone or as one of several workers, until SIGTERM or SIGINT, then drain; raises StartError."""
    shutdown = shutdown_on_signals(log)
    if worker is not None:
        end_with_standard_input(shutdown, log)
    http = HttpClient()
    try:
        credentials = await load_credentials(os.environ, http)
        parts = build_parts(settings, http, credentials, log)
        try:
            await _serve(parts, log, shutdown, worker)
        finally:
            await parts.database.close()
    except (CredentialsError, CatalogError, ServerError) as error:
        raise StartError(str(error)) from error
    finally:
        await http.close()
    log.write("info", "stopped")


async def _serve(parts: Parts, log: StructuredLog, shutdown: Shutdown, worker: Worker | None) -> None:
    settings, service = parts.settings, parts.service
    metrics, running = Metrics(), Running()
    shedding = LoadShedding(
        running, metrics.count_refusal, max_concurrent_requests=settings.max_concurrent_requests
    )
    add_gauges(metrics, running=running, shedding=shedding, parts=parts)
    routes = all_routes(parts, shedding, Health(parts.reachability, shutdown))
    try:
        async with _in_background(log, *parts.background):
            await asyncio.gather(service.start(), parts.directory.catch_up())
            listener, metrics_listener = _listeners(settings, worker)
            collection = partial(serve_beside, MetricsPage(metrics.registry), metrics_listener)
            keep_collections_short()
            application = Application(
                routes.first,
                log,
                metrics,
                running,
                later=routes.later,
                account_for=partial(_account_for, parts),
                forwarded_hops=settings.forwarded_hops,
            )
            load_rest = partial(_after, _FIRST_ANSWERS_SECONDS, application.load_rest)
            beside = (service.follow_catalog, shedding.watch, collection, load_rest)
            async with _in_background(log, *beside):
                log.write("info", "serving", environment=settings.environment, port=settings.port)
                await serve(
                    application,
                    listener,
                    ConnectionRules(write_stall_seconds=settings.write_stall_seconds),
                    shutdown,
                    lame_duck_seconds=settings.lame_duck_seconds,
                    drain_seconds=settings.drain_seconds,
                )
    finally:
        await parts.ledger.finish(_LEDGER_SECONDS)


def _account_for(parts: Parts, record: RequestRecord) -> None:
    row = row_of(record, own_account=parts.settings.account_id)
    if row is not None:
        parts.ledger.record(row)


async def _after(seconds: float, work: Work) -> None:
    await asyncio.sleep(seconds)
    await work()


def _listeners(settings: Settings, worker: Worker | None) -> tuple[socket.socket, socket.socket]:
    """Where callers come in, and where metrics are collected."""
    if worker is None:
        return listen(settings.host, settings.port), listen(settings.host, settings.metrics_port)
    return socket.socket(fileno=worker.listener), listen(settings.host, settings.metrics_port + worker.index)


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
