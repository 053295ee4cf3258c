"""Processes that share one port."""

import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

import psutil
import pytest

CALLERS = 16
# So that callers leave some of the machine to a worker that starts.
PAUSE_SECONDS = 0.02
BODY = json.dumps({"model": "fast", "messages": [{"role": "user", "content": "hello"}]}).encode()


def wait_for(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def workers_of(gateway: Any) -> list[psutil.Process]:
    return psutil.Process(gateway.process.pid).children()


class Callers:
    """Each has a connection of its own, and opens a new one when it breaks."""

    def __init__(self, gateway: Any) -> None:
        self._gateway = gateway
        self._stopped = threading.Event()
        self.broken: list[int] = []
        self.refused: list[OSError] = []
        self.statuses: Counter[int] = Counter()

    def stop(self) -> None:
        self._stopped.set()

    def call(self) -> None:
        while not self._stopped.is_set():
            host = self._gateway.url.removeprefix("http://")
            with closing(http.client.HTTPConnection(host, timeout=10)) as connection:
                try:
                    connection.connect()
                except OSError as error:
                    self.refused.append(error)
                    continue
                self._use(connection)

    def _use(self, connection: http.client.HTTPConnection) -> None:
        port = connection.sock.getsockname()[1]
        headers = {"authorization": f"Bearer {self._gateway.key}", "content-type": "application/json"}
        while not self._stopped.is_set():
            try:
                connection.request("POST", "/v1/chat/completions", BODY, headers)
                response = connection.getresponse()
                response.read()
            except (OSError, http.client.HTTPException):
                self.broken.append(port)
                return
            self.statuses[response.status] += 1
            self._stopped.wait(PAUSE_SECONDS)


def ports_of_callers(worker: psutil.Process) -> set[int]:
    connections = worker.net_connections(kind="tcp")
    return {connection.raddr.port for connection in connections if connection.raddr}


def events(gateway: Any, name: str) -> int:
    return sum(line["event"] == name for line in gateway.log())


@pytest.fixture(scope="module")
def gateway(start_gateway: Any) -> Any:
    """A gateway with two workers, which the tests use one after the other and the second of them ends."""
    gateway = start_gateway(workers="2")
    wait_for(lambda: events(gateway, "serving") == 2)
    return gateway


def test_every_worker_is_measured(gateway: Any) -> None:
    first, _, path = gateway.metrics_url.removeprefix("http://").partition("/")
    host, _, port = first.partition(":")
    for index in range(2):
        with closing(http.client.HTTPConnection(host, int(port) + index, timeout=5)) as connection:
            connection.request("GET", f"/{path}")
            assert b"gatehouse_requests_in_flight" in connection.getresponse().read()


def test_killing_one_worker_breaks_only_its_own_connections(gateway: Any) -> None:
    callers = Callers(gateway)
    with ThreadPoolExecutor(CALLERS) as pool:
        for _ in range(CALLERS):
            pool.submit(callers.call)
        try:
            wait_for(lambda: callers.statuses[200] > 50)
            victim = max(workers_of(gateway), key=lambda worker: len(ports_of_callers(worker)))
            its_callers = ports_of_callers(victim)
            victim.kill()
            served = callers.statuses[200]
            wait_for(lambda: callers.statuses[200] > served + 50)
            wait_for(lambda: events(gateway, "serving") == 3)
        finally:
            callers.stop()
    assert callers.broken
    assert set(callers.broken) <= its_callers
    assert len(callers.broken) == len(set(callers.broken))
    assert callers.refused == []
    assert set(callers.statuses) == {200}
    (ended,) = [line for line in gateway.log() if line["event"] == "worker_ended"]
    assert ended["status"] == -9
    assert len(workers_of(gateway)) == 2
    gateway.terminate()
    assert gateway.process.wait(20) == 0
    assert events(gateway, "stopped") == 2


def test_workers_do_not_outlive_the_process_that_watches_them(start_gateway: Any) -> None:
    gateway = start_gateway(workers="2")
    wait_for(lambda: events(gateway, "serving") == 2)
    workers = workers_of(gateway)
    gateway.process.kill()
    _, alive = psutil.wait_procs(workers, timeout=5)
    assert alive == []


def test_workers_that_cannot_start_end_it_all(start_gateway: Any, tmp_path: Any) -> None:
    catalog = tmp_path / "models.json"
    catalog.write_text("{}")
    with pytest.raises(AssertionError, match="ended with status 1"):
        start_gateway(workers="2", models_source=catalog.as_uri())
