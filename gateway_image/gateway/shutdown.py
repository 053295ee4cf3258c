"""How a process is told to end."""

import asyncio
import signal
import sys

from gateway.structured_log import StructuredLog


class Shutdown:
    """Set once and never taken back.

    announced: take no more work than still comes; the load balancer is to send requests elsewhere.
    immediate: nobody sends requests elsewhere, so there is nothing to wait for.
    """

    def __init__(self) -> None:
        self.announced = asyncio.Event()
        self.immediate = asyncio.Event()


def shutdown_on_signals(log: StructuredLog) -> Shutdown:
    """Return what SIGTERM and SIGINT set."""
    shutdown = Shutdown()

    def begin(number: signal.Signals) -> None:
        log.write("info", "draining", signal=number.name)
        shutdown.announced.set()
        # Somebody at a terminal, and no load balancer that would have to notice.
        if number == signal.SIGINT:
            shutdown.immediate.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, begin, number)
    return shutdown


def end_with_standard_input(shutdown: Shutdown, log: StructuredLog) -> None:
    """Announce the shutdown when standard input ends, as it does when the process at its other end dies."""
    loop = asyncio.get_running_loop()
    descriptor = sys.stdin.fileno()

    def begin() -> None:
        loop.remove_reader(descriptor)
        log.write("info", "draining", reason="the process that watches the workers has ended")
        shutdown.announced.set()

    loop.add_reader(descriptor, begin)
