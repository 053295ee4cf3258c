from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.metrics import Metrics
from gateway.metrics_page import MetricsPage
from gateway.request_record import RequestRecord

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]
CHAT = {"operation": "chat_completions", "model": "claude", "deployment": "claude-us"}
GEN_AI = {"gen_ai_operation_name": "chat", "gen_ai_request_model": "claude"}


def record(**fields: Any) -> RequestRecord:
    usual = {"request_id": "r", "trace_id": "t", "method": "POST", "path": "/v1/chat/completions"}
    return RequestRecord(**{**usual, "status": 200, "latency_ms": 500.0, **fields})


async def ask(metrics: Metrics, path: str = "/metrics", method: str = "GET") -> tuple[int, str]:
    sent: list[Any] = []

    async def receive() -> Any:
        raise AssertionError("there is no body to read")

    async def send(message: Any) -> None:
        sent.append(message)

    await MetricsPage(metrics.registry)({"method": method, "path": path}, receive, send)
    assert dict(sent[0]["headers"])[b"content-length"] == str(len(sent[1]["body"])).encode()
    return sent[0]["status"], sent[1]["body"].decode()


async def collect(metrics: Metrics) -> Samples:
    status, text = await ask(metrics)
    assert status == 200
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float | None:
    return samples.get((name, frozenset(labels.items())))


@pytest.mark.anyio
async def test_an_answer_is_counted_and_measured() -> None:
    metrics = Metrics()
    usage = {"input_tokens": 20, "output_tokens": 300, "cache_read_tokens": 15}
    for _ in range(2):
        metrics.count(record(**CHAT, **usage, time_to_first_token_ms=90.0))
    samples = await collect(metrics)
    assert value(samples, "gatehouse_requests_total", **CHAT, status="200") == 2
    duration = "gen_ai_server_request_duration_seconds"
    assert value(samples, f"{duration}_sum", **GEN_AI, error_type="") == 1
    assert value(samples, f"{duration}_bucket", **GEN_AI, error_type="", le="0.32") == 0
    assert value(samples, f"{duration}_bucket", **GEN_AI, error_type="", le="0.64") == 2
    first_token = "gen_ai_server_time_to_first_token_seconds"
    assert value(samples, f"{first_token}_bucket", **GEN_AI, le="0.08") == 0
    assert value(samples, f"{first_token}_bucket", **GEN_AI, le="0.1") == 2
    for kind, tokens in (("input", 40), ("output", 600), ("cache_read", 30), ("cache_write", 0)):
        name = "gen_ai_client_token_usage_sum"
        assert value(samples, name, **GEN_AI, gen_ai_token_type=kind) == tokens
    attempts = "gatehouse_deployment_attempts_total"
    assert value(samples, attempts, deployment="claude-us", error_code="") == 2


@pytest.mark.anyio
async def test_attempts_that_failed_are_counted_at_their_deployment() -> None:
    metrics = Metrics()
    failed = ["claude-eu: upstream_timeout", "claude-eu: 500"]
    metrics.count(record(**CHAT, failed_attempts=failed))
    broken = record(**CHAT, failed_attempts=["claude-us: upstream_connection_lost"])
    broken.error_code = "upstream_connection_lost"
    metrics.count(broken)
    samples = await collect(metrics)
    assert {
        (labels["deployment"], labels["error_code"]): count
        for (name, pairs), count in samples.items()
        if name == "gatehouse_deployment_attempts_total" and (labels := dict(pairs))
    } == {
        ("claude-us", ""): 1,
        ("claude-eu", "upstream_timeout"): 1,
        ("claude-eu", "500"): 1,
        ("claude-us", "upstream_connection_lost"): 1,
    }


@pytest.mark.anyio
async def test_a_request_that_did_not_get_far() -> None:
    metrics = Metrics()
    metrics.count(record(status=401))
    metrics.count_refusal("low")
    samples = await collect(metrics)
    empty = {"operation": "", "model": "", "deployment": ""}
    assert value(samples, "gatehouse_requests_total", **empty, status="401") == 1
    nothing = {"gen_ai_operation_name": "", "gen_ai_request_model": ""}
    name = "gen_ai_server_request_duration_seconds_count"
    assert value(samples, name, **nothing, error_type="401") == 1
    assert value(samples, "gatehouse_requests_shed_total", priority="low") == 1


@pytest.mark.anyio
async def test_answers_from_the_cache_are_no_attempts() -> None:
    metrics = Metrics()
    metrics.count(record(operation="embeddings", model="titan", cached=True))
    metrics.count(record(operation="embeddings", model="titan", deployment="titan-us", cached=False))
    samples = await collect(metrics)
    for result in ("hit", "miss"):
        name = "gatehouse_response_cache_lookups_total"
        assert value(samples, name, model="titan", result=result) == 1
    attempts = [dict(pairs) for name, pairs in samples if name == "gatehouse_deployment_attempts_total"]
    assert {"deployment": "titan-us", "error_code": ""} in attempts


@pytest.mark.anyio
async def test_error_codes_that_a_provider_makes_up_do_not_fill_the_memory() -> None:
    metrics = Metrics()
    for number in range(1000):
        metrics.count(record(**CHAT, failed_attempts=[f"claude-us: odd_{number}"]))
    samples = await collect(metrics)
    codes = [dict(pairs)["error_code"] for name, pairs in samples if name.endswith("attempts_total")]
    assert len(codes) < 110
    assert "other" in codes


@pytest.mark.anyio
async def test_gauges_are_read_when_they_are_asked_for() -> None:
    metrics = Metrics()
    cooling: list[tuple[str, float]] = []
    metrics.gauge("gatehouse_things", "Things.", lambda: len(cooling))
    metrics.gauges("gatehouse_cooling", "Cooling things.", "deployment", lambda: cooling)
    assert value(await collect(metrics), "gatehouse_cooling", deployment="claude-us") is None
    cooling.append(("claude-us", 1))
    samples = await collect(metrics)
    assert value(samples, "gatehouse_things") == 1
    assert value(samples, "gatehouse_cooling", deployment="claude-us") == 1


@pytest.mark.anyio
async def test_only_metrics_are_there() -> None:
    assert (await ask(Metrics(), "/"))[0] == 404
    assert (await ask(Metrics(), method="POST"))[0] == 404
