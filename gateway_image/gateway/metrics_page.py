"""Where metrics are collected: a listener of its own, which is never the one that callers reach."""

import asyncio

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_1_0_0

from gateway.request import Message, Receive, Send

_PATH = "/metrics"


class MetricsPage:
    """An ASGI application that answers GET /metrics in Prometheus' text format."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    async def __call__(self, scope: Message, _: Receive, send: Send) -> None:
        """Answer one request."""
        if (scope["method"], scope["path"]) == ("GET", _PATH):
            # In a thread: for a large catalog it takes long enough to delay callers.
            body = await asyncio.to_thread(generate_latest, self._registry)
            status, content_type = 200, CONTENT_TYPE_PLAIN_1_0_0
        else:
            body, status, content_type = f"Use GET {_PATH}.\n".encode(), 404, "text/plain; charset=utf-8"
        headers = [
            (b"content-type", content_type.encode()),
            (b"content-length", str(len(body)).encode()),
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})
