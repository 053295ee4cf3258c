"""Metrics of a real process, as Prometheus collects them."""

import urllib.error
import urllib.request
from typing import Any

import openai
import pytest

HELLO: Any = [{"role": "user", "content": "hello"}]


def samples_of(gateway: Any) -> dict[str, float]:
    with urllib.request.urlopen(gateway.metrics_url, timeout=5) as response:
        assert response.headers["content-type"].startswith("text/plain; version=1.0.0")
        lines = response.read().decode().splitlines()
    pairs = (line.rpartition(" ") for line in lines if not line.startswith("#"))
    return {name: float(value) for name, _, value in pairs}


def test_requests_are_measured_on_a_port_of_their_own(start_gateway: Any) -> None:
    gateway = start_gateway()
    with gateway.client() as client:
        client.chat.completions.create(model="claude", messages=HELLO)
        list(client.chat.completions.create(model="claude", messages=HELLO, stream=True))
        with pytest.raises(openai.NotFoundError):
            client.chat.completions.create(model="a-name-the-caller-made-up", messages=HELLO)
    samples = samples_of(gateway)
    served = 'operation="chat_completions",model="claude",deployment="claude-us",status="200"'
    reordered = ",".join(sorted(served.split(",")))
    assert {
        ",".join(sorted(name.partition("{")[2].rstrip("}").split(","))): value
        for name, value in samples.items()
        if name.startswith("gatehouse_requests_total{")
    } == {reordered: 2, 'deployment="",model="",operation="",status="404"': 1}
    assert samples["gatehouse_requests_in_flight"] == 0
    assert 0 <= samples["gatehouse_event_loop_delay_seconds"] < 1
    assert samples['gatehouse_dependency_reachable{dependency="cache"}'] == 0
    assert any(name.startswith("gatehouse_catalog_info{digest=") for name in samples)
    assert samples["process_resident_memory_bytes"] > 10_000_000
    assert not any("made-up" in name for name in samples)
    assert gateway.request("GET", "/metrics")[0] == 404


def test_a_trace_reaches_the_log(gateway: Any) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    _, headers, _ = gateway.request("GET", "/v1/models", traceparent=f"00-{trace}-b7ad6b7169203331-01")
    assert gateway.record(headers["x-request-id"])["trace_id"] == trace
