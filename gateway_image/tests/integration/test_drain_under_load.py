"""SIGTERM while requests keep coming, from callers behind a load balancer."""

import http.client
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import pytest

from local.bedrock_simulator.process import RunningSimulator
from local.bedrock_simulator.replies import Reply

CALLERS = 6
HELLO: Any = [{"role": "user", "content": "hello"}]
BODY = json.dumps({"model": "fast", "messages": HELLO}).encode()


@dataclass
class LoadBalancer:
    """Sends requests to gateways in turn, as long as their last readiness check was passed."""

    gateways: list[Any]
    stopped: threading.Event = field(default_factory=threading.Event)
    answers: list[tuple[Any, http.client.HTTPResponse]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._ready = list(self.gateways)

    def check(self) -> None:
        """Keep the list of ready gateways current; it takes a while to notice, as real ones do."""
        while not self.stopped.wait(0.3):
            self._ready = [gateway for gateway in self.gateways if _is_ready(gateway)]

    def call(self) -> None:
        """Send requests, each over a connection of its own."""
        turn = 0
        while not self.stopped.is_set():
            turn += 1
            gateway = self._ready[turn % len(self._ready)]
            try:
                response = _post(gateway)
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(f"{gateway.url}: {error!r}")
            else:
                self.answers.append((gateway, response))


def _is_ready(gateway: Any) -> bool:
    try:
        return bool(gateway.request("GET", "/health/ready")[0] == 200)
    except OSError:
        return False


def _post(gateway: Any) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection(gateway.url.removeprefix("http://"), timeout=10)
    headers = {"authorization": f"Bearer {gateway.key}", "content-type": "application/json"}
    with closing(connection):
        connection.request("POST", "/v1/chat/completions", BODY, headers)
        response = connection.getresponse()
        response.read()
        return response


@pytest.fixture
def load(start_gateway: Any) -> Iterator[LoadBalancer]:
    balancer = LoadBalancer([start_gateway(lame_duck_seconds="1", drain_seconds="10"), start_gateway()])
    with ThreadPoolExecutor(CALLERS + 1) as pool:
        for work in (balancer.check, *[balancer.call] * CALLERS):
            pool.submit(work)
        yield balancer
        balancer.stopped.set()


def test_no_request_is_lost_and_streams_finish(load: LoadBalancer, simulator: RunningSimulator) -> None:
    leaving, staying = load.gateways
    simulator.control.add_reply(Reply(words=250, model="anthropic.claude-haiku-4-5-20251001-v1:0"))
    with leaving.client() as client:
        # Two and a half seconds of words: it ends long after the last new request has been taken.
        stream = iter(client.chat.completions.create(model="claude", messages=HELLO, stream=True))
        next(stream)
        time.sleep(0.5)
        leaving.terminate()
        time.sleep(0.1)
        assert leaving.request("GET", "/health/ready")[0] == 503
        words = sum(1 for chunk in stream if chunk.choices and chunk.choices[0].delta.content)
    assert words >= 249
    assert leaving.process.wait(20) == 0
    load.stopped.set()
    assert load.failures == []
    assert {response.status for _, response in load.answers} == {200}
    # New requests were still answered in the meantime, each as the last one of its connection.
    last = [response.headers["connection"] for gateway, response in load.answers if gateway is leaving]
    assert None in last
    assert "close" in last
    assert not any(r.headers["connection"] for gateway, r in load.answers if gateway is staying)


def test_a_silent_connection_is_used_once_more_and_closed(start_gateway: Any) -> None:
    gateway = start_gateway(lame_duck_seconds="2")
    with closing(http.client.HTTPConnection(gateway.url.removeprefix("http://"), timeout=5)) as connection:
        for is_last in (False, True):
            connection.request("GET", "/health/live")
            response = connection.getresponse()
            assert (response.status, response.headers["connection"]) == (200, "close" if is_last else None)
            response.read()
            if not is_last:
                gateway.terminate()
                time.sleep(0.2)
    assert gateway.process.wait(20) == 0


def test_an_interrupt_at_a_terminal_waits_for_no_load_balancer(start_gateway: Any) -> None:
    gateway = start_gateway(lame_duck_seconds="10")
    gateway.interrupt()
    assert gateway.process.wait(8) == 0
