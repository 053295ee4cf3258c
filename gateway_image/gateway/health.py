"""Health checks: /health/live for the container, /health/ready for the load balancer."""

import msgspec

from gateway.reachability import Reachability
from gateway.request import Request
from gateway.shutdown import Shutdown

_LIVE = b'{"status":"live"}'


class Health:
    """Answers both checks from memory: a check never waits for another service."""

    def __init__(self, reachability: Reachability, shutdown: Shutdown) -> None:
        self._reachability = reachability
        self._shutdown = shutdown

    async def live(self, request: Request) -> None:
        """200 as long as the process can answer at all."""
        await request.respond(200, _LIVE)

    async def ready(self, request: Request) -> None:
        """200 while requests are welcome, 503 while draining.

        The body reports the cache and the database for information: requests are answered without them.
        """
        draining = self._shutdown.announced.is_set()
        status = "draining" if draining else "ready"
        body = msgspec.json.encode({"status": status, **self._reachability.states})
        await request.respond(503 if draining else 200, body)
