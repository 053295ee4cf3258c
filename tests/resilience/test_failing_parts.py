"""The gateway's own parts fail: its cache, its configuration, one of its processes."""

import http.client
import json
import signal
from collections.abc import Callable
from contextlib import closing
from typing import Any

from local.callers import Callers
from local.fleet import Fleet

Own = Callable[[str], str]


def test_the_cache_may_go_and_come_back(
    running: Fleet, callers: Callers, wait_until: Callable[..., None]
) -> None:
    with callers.asking() as before:
        wait_until(lambda: before.statuses.total() > 20)
    assert before.failed == 0

    with callers.asking() as during:
        running.valkey.kill()
        wait_until(lambda: during.statuses.total() > 60)
    assert during.failed == 0

    with callers.asking() as after:
        running.valkey.start()
        wait_until(lambda: after.statuses.total() > 20)
    assert after.failed == 0
    wait_until(lambda: all(_cache_state(gateway.url) == "reachable" for gateway in running.gateways))


def test_a_broken_configuration_is_refused_and_the_old_one_goes_on(
    running: Fleet, callers: Callers, own: Own, wait_until: Callable[..., None]
) -> None:
    working = running.catalog.read_text()
    for broken in (
        "{",
        json.dumps({"models": []}),
        working.replace(f'"fallbacks": ["{own("last-resort")}"]', '"fallbacks": ["no"]'),
    ):
        refused = _events(running, "catalog_refused")
        running.catalog.write_text(broken)
        wait_until(lambda before=refused: _events(running, "catalog_refused") >= before + 2)
        assert callers.ask(4).failed == 0

    running.catalog.write_text(working.replace(f'"name": "{own("chat")}"', '"name": "renamed"'))
    wait_until(lambda: callers.ask(2, model="renamed").failed == 0)
    assert callers.ask(2).statuses == {404: 2}


def test_a_killed_process_takes_only_its_own_requests_with_it(
    running: Fleet, callers: Callers, wait_until: Callable[..., None]
) -> None:
    survivor, victim = running.gateways
    with callers.of(survivor).asking() as beside:
        wait_until(lambda: beside.statuses.total() > 10)
        victim.stop(signal.SIGKILL)
        reached = beside.statuses.total()
        wait_until(lambda: beside.statuses.total() > reached + 20)
    assert beside.failed == 0
    victim.start()
    assert callers.ask(8).failed == 0


def test_stopping_under_load_loses_no_request(
    running: Fleet, callers: Callers, own: Own, wait_until: Callable[..., None]
) -> None:
    """A load balancer needs some seconds to learn that this process is not ready any more."""
    stopping, _ = running.gateways
    client = callers.client(stopping)
    words: Any = [{"role": "user", "content": "answer with 2000 words"}]
    stream: Any = client.chat.completions.create(model=own("chat"), messages=words, stream=True)
    next(iter(stream))
    with callers.of(stopping).asking() as during:
        wait_until(lambda: during.statuses.total() > 10)
        assert stopping.process is not None
        stopping.process.send_signal(signal.SIGTERM)
        wait_until(lambda: _readiness(stopping.url)[0] == 503, 2)
        reached = during.statuses.total()
        wait_until(lambda: during.statuses.total() > reached + 20)
    assert during.failed == 0
    assert [chunk.choices[0].finish_reason for chunk in stream][-1] == "stop"
    assert stopping.process.wait(30) == 0


def _events(running: Fleet, name: str) -> int:
    return sum(line["event"] == name for gateway in running.gateways for line in gateway.log())


def _cache_state(url: str) -> str:
    return str(json.loads(_readiness(url)[1])["cache"])


def _readiness(url: str) -> tuple[int, bytes]:
    with closing(http.client.HTTPConnection(url.removeprefix("http://"), timeout=10)) as connection:
        connection.request("GET", "/health/ready")
        response = connection.getresponse()
        return response.status, response.read()
