"""Several gateway processes that share one port: started, watched and stopped by one that only does that."""

import asyncio
import signal
import socket
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Mapping
from dataclasses import dataclass

from gateway.structured_log import StructuredLog

# A worker that ends so soon would end again and again.
_SHORT_LIFE_SECONDS = 10
_PAUSE_SECONDS = 1


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker's place: its number, from 0, and the descriptor of the socket that all of them accept from."""

    index: int
    listener: int

    def arguments(self) -> list[str]:
        """The place as arguments of `python -m gateway`."""
        return ["--worker", str(self.index), "--listener", str(self.listener)]


class Workers:
    """Keeps a number of workers running.

    environ: their environment, secrets included. A worker's standard input ends when this process does.
    """

    def __init__(
        self, count: int, listener: socket.socket, environ: Mapping[str, str], log: StructuredLog
    ) -> None:
        self._count = count
        self._listener = listener
        self._environ = environ
        self._log = log
        self._running: set[Process] = set()
        self._stop_signal: signal.Signals | None = None

    async def run(self) -> int:
        """Run until SIGTERM or SIGINT has ended every worker; returns the exit status for this process."""
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self._stop, number)
        statuses = await asyncio.gather(*(self._keep_running(index) for index in range(self._count)))
        return max(statuses)

    async def _keep_running(self, index: int) -> int:
        """Run one worker, again if it dies; returns its exit status, 1 for a signal that killed it."""
        status, has_started = 0, False
        while not self._is_stopping():
            started_at = time.monotonic()
            status = await self._run_once(index)
            if self._is_stopping():
                break
            self._log.write("error", "worker_ended", worker=index, status=status)
            if status > 0 and not has_started:
                # It cannot start and has said why; beginning with a part of the workers would hide it.
                self._stop(signal.SIGTERM)
                break
            has_started = True
            if time.monotonic() - started_at < _SHORT_LIFE_SECONDS:
                await asyncio.sleep(_PAUSE_SECONDS)
        # One that has not yet begun to serve ends by the signal itself.
        return 0 if status in {0, -signal.SIGTERM, -signal.SIGINT} else max(status, 1)

    def _is_stopping(self) -> bool:
        return self._stop_signal is not None

    async def _run_once(self, index: int) -> int:
        place = Worker(index, self._listener.fileno())
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "gateway",
            *place.arguments(),
            stdin=PIPE,
            pass_fds=[place.listener],
            env=self._environ,
        )
        self._running.add(process)
        if self._stop_signal is not None:
            process.send_signal(self._stop_signal)
        try:
            return await process.wait()
        finally:
            self._running.discard(process)

    def _stop(self, number: signal.Signals) -> None:
        if self._stop_signal is None:
            self._log.write("info", "stopping_workers", signal=number.name)
        self._stop_signal = number
        # The workers still accept from it; once they no longer do, callers are to be refused.
        self._listener.close()
        for process in self._running:
            process.send_signal(number)
