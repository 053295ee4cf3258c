"""The command `python -m local.model_endpoint`."""

import argparse
import asyncio
import signal
import sys

from aiohttp import web

from local.model_endpoint.endpoint import Endpoint
from local.model_endpoint.process import READY
from local.model_endpoint.server import build_app

_HOST = "127.0.0.1"
_DRAIN_SECONDS = 0.5


def main() -> int:
    """Serve until SIGINT or SIGTERM; 2 for a busy port."""
    parser = argparse.ArgumentParser(
        prog="python -m local.model_endpoint",
        description="Simulate an OpenAI-compatible provider and a SageMaker endpoint on this machine.",
    )
    parser.add_argument("--port", type=int, default=9998, help="port on 127.0.0.1; 0 takes any free one")
    parser.add_argument("--key", action="append", default=[], help="an API key to accept; none accepts all")
    arguments = parser.parse_args()
    try:
        asyncio.run(_serve(Endpoint(keys=set(arguments.key)), arguments.port))
    except OSError as error:
        print(
            f"cannot listen on {_HOST}:{arguments.port}: {error.strerror}; choose another --port",
            file=sys.stderr,
        )
        return 2
    return 0


async def _serve(endpoint: Endpoint, port: int) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    runner = web.AppRunner(
        build_app(endpoint), handler_cancellation=True, access_log=None, shutdown_timeout=_DRAIN_SECONDS
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, _HOST, port).start()
        print(f"{READY}http://{_HOST}:{runner.addresses[0][1]}", flush=True)
        await stop.wait()
    finally:
        await runner.cleanup()


if __name__ == "__main__":
    sys.exit(main())
