"""The command `python -m local.bedrock_simulator`."""

import argparse
import asyncio
import signal
import sys
from pathlib import Path

from aiohttp import web

from local.bedrock_simulator.process import READY
from local.bedrock_simulator.scenario import ScenarioError, load_scenario
from local.bedrock_simulator.server import build_app
from local.bedrock_simulator.simulator import Simulator

_HOST = "127.0.0.1"
_DRAIN_SECONDS = 0.5
_EXAMPLE = """example:
  python -m local.bedrock_simulator --port 9999 &
  aws bedrock-runtime converse --endpoint-url http://127.0.0.1:9999 --region us-east-1 \\
      --model-id us.amazon.nova-lite-v1:0 --messages '[{"role":"user","content":[{"text":"Hello"}]}]'

The world that is played by default, and the form of a scenario file, is in default.yaml beside the code.
"""


def main() -> int:
    """Serve until SIGINT or SIGTERM; 2 for a bad scenario or a busy port."""
    arguments = _parse_arguments()
    try:
        simulator = Simulator(load_scenario(arguments.scenario), validate=not arguments.no_validation)
        asyncio.run(_serve(simulator, arguments.port))
    except ScenarioError as error:
        print(error, file=sys.stderr)
        return 2
    except OSError as error:
        print(
            f"cannot listen on {_HOST}:{arguments.port}: {error.strerror}; choose another --port",
            file=sys.stderr,
        )
        return 2
    return 0


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m local.bedrock_simulator",
        description="Simulate Amazon Bedrock's runtime API on this machine.",
        epilog=_EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--port", type=int, default=9999, help="port on 127.0.0.1; 0 takes any free one (default: 9999)"
    )
    parser.add_argument(
        "--scenario", type=Path, metavar="FILE", help="YAML file with what differs from the default world"
    )
    parser.add_argument(
        "--no-validation", action="store_true", help="trust requests: for benchmarks of other programs"
    )
    return parser.parse_args()


async def _serve(simulator: Simulator, port: int) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    # A handler is cancelled when its client leaves, as a model stops generating for nobody.
    runner = web.AppRunner(
        build_app(simulator), handler_cancellation=True, access_log=None, shutdown_timeout=_DRAIN_SECONDS
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
