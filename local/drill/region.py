"""One region on this machine: gateways behind a front door, a cache of their own, and a database."""

import asyncio
import contextlib
import signal
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from gateway.settings import variable
from local.drill.relay import Relay
from local.fleet import GatewayProcess
from local.throwaway_servers import Postgres, ServerError, Valkey, free_port

_STOP_SECONDS = 20
# Each has a port for its metrics.
_MOST_WORKERS = 2
_Process = subprocess.Popen[bytes]


@dataclass
class Region:
    """What runs in a region.

    is_reachable: for whoever is elsewhere, such as a plan's functions. is_open: whether gateways may run.
    """

    name: str
    folder: Path
    postgres: Postgres
    variables: Mapping[str, str]
    gateways: list[GatewayProcess] = field(default_factory=list)
    is_reachable: bool = True
    is_open: bool = True
    front_door: Relay = field(default_factory=lambda: Relay(free_port(), []))
    valkey: Valkey = field(init=False)
    _starts: set[asyncio.Task[None]] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Give it a cache of its own."""
        self.valkey = Valkey(free_port(), self.folder)

    @property
    def size(self) -> int:
        """How many gateways take requests."""
        return len(self._running())

    async def start(self, *, gateways: int) -> None:
        """Start the cache, the gateways and the front door."""
        await asyncio.to_thread(self.valkey.start)
        await self.scale(gateways)
        await self.front_door.start()

    async def scale(self, gateways: int) -> None:
        """Start more gateways until so many run; each takes requests once it is ready.

        Whoever gives up waiting does not stop those that start, and finds them when it asks again.
        """
        for _ in range(gateways - self.size - len(self._starts)):
            start = asyncio.create_task(self._start_gateway())
            self._starts.add(start)
            start.add_done_callback(self._starts.discard)
        await asyncio.gather(*map(asyncio.shield, self._starts))

    async def end_gateways(self) -> bool:
        """Tell the gateways to end, as a service that is scaled to nothing does; whether they all have."""
        for process in self._running():
            process.send_signal(signal.SIGTERM)
        await asyncio.gather(*(asyncio.to_thread(_wait, process) for process in self._running()))
        self._open_the_door()
        return self.size == 0

    async def lose(self) -> None:
        """Kill everything in it at once."""
        self.is_reachable = False
        # A thread cannot be stopped on the way.
        await asyncio.gather(*self._starts, return_exceptions=True)
        # Found beforehand: whose parent has ended is nobody's child.
        for process in [*self._everything()]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        await self.front_door.cut()
        await asyncio.to_thread(self._reap)

    def hold(self, *processes: _Process | None) -> None:
        """Let processes stand still, with all that they have started: they take connections, no more."""
        for process in _families(processes):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.suspend()

    def release(self) -> None:
        """Let what stands still go on."""
        for process in self._everything():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.resume()

    async def come_back(self) -> None:
        """Be reached again, with what has lived on, and with the cache and the database that were lost."""
        self.release()
        for server in (self.valkey, self.postgres):
            if server.process is None or server.process.poll() is not None:
                await asyncio.to_thread(server.start)
        self.front_door.flow()
        if not self.front_door.listens:
            await self.front_door.start()
        self.is_reachable = True

    def log_lines(self) -> Iterator[str]:
        """What its gateways have logged, those that have ended too."""
        for gateway in self.gateways:
            yield from gateway.output.read_text().splitlines()

    async def _start_gateway(self) -> None:
        gateway = self._gateway()
        try:
            await asyncio.to_thread(gateway.start)
        except ServerError:
            gateway.stop(signal.SIGKILL)
            raise
        self.gateways.append(gateway)
        self._open_the_door()

    def _running(self) -> list[_Process]:
        return [each.process for each in self.gateways if each.process and each.process.poll() is None]

    def _open_the_door(self) -> None:
        running = self._running()
        self.front_door.servers = [each.port for each in self.gateways if each.process in running]

    def _everything(self) -> Iterator[psutil.Process]:
        servers = (self.valkey.process, self.postgres.process)
        return _families([*servers, *self._running()])

    def _reap(self) -> None:
        for gateway in self.gateways:
            gateway.stop(signal.SIGKILL)
        self.postgres.stop(signal.SIGKILL)
        self.valkey.kill()

    def _gateway(self) -> GatewayProcess:
        port = free_port()
        settings = {
            "region": self.name,
            "port": str(port),
            "metrics_port": str(free_port(_MOST_WORKERS)),
            "cache_port": str(self.valkey.port),
            "database_port": str(self.postgres.port),
        }
        own = {variable(name): value for name, value in settings.items()}
        return GatewayProcess(port, self.folder / f"gateway-{port}.log", {**self.variables, **own})


def _families(processes: Iterable[_Process | None]) -> Iterator[psutil.Process]:
    """What runs, each before its children: PostgreSQL's serve connections, and gateways may have workers.

    Children are looked for once their parent was dealt with: what stands still makes no more of them.
    """
    for process in processes:
        if process is not None and process.poll() is None:
            parent = psutil.Process(process.pid)
            yield parent
            yield from parent.children(recursive=True)


def _wait(process: _Process) -> None:
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_STOP_SECONDS)
