"""What the gateway counts and measures, for Prometheus to collect.

Names of OpenTelemetry's semantic conventions for generative AI where they have one, gatehouse_* otherwise.
Label values are names of the catalog, statuses and error codes: a caller cannot make up new ones.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway.callers import Priority
from gateway.request_record import RequestRecord

# The bounds that the semantic conventions advise.
_DURATION_SECONDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
_FIRST_TOKEN_SECONDS = (0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
_TOKENS = tuple(4**power for power in range(14))
# Providers' own error codes pass through; a provider that invents one a request must not fill the memory.
_MOST_ERROR_CODES = 100


class _Series(NamedTuple):
    """Where to count requests of one kind: looked up once instead of label by label."""

    count_request: Callable[[], None]
    count_answer: Callable[[], None]
    observe_seconds: Callable[[float], None]
    observe_first_token_seconds: Callable[[float], None]
    observe_input_tokens: Callable[[float], None]
    observe_output_tokens: Callable[[float], None]
    observe_cache_read_tokens: Callable[[float], None]
    observe_cache_write_tokens: Callable[[float], None]


class Metrics:
    """The metrics of one process, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._requests = Counter(
            "gatehouse_requests",
            "Requests answered; operation and model are empty where the request did not get that far.",
            ["operation", "model", "deployment", "status"],
            registry=self.registry,
        )
        self._attempts = Counter(
            "gatehouse_deployment_attempts",
            "Attempts at a deployment; error_code is empty for those that led to an answer.",
            ["deployment", "error_code"],
            registry=self.registry,
        )
        self._cache_lookups = Counter(
            "gatehouse_response_cache_lookups",
            "Requests for which the response cache was asked; result is hit or miss.",
            ["model", "result"],
            registry=self.registry,
        )
        self._refusals = Counter(
            "gatehouse_requests_shed",
            "Requests refused because the process was overloaded, by the caller's priority.",
            ["priority"],
            registry=self.registry,
        )
        self._seconds = self._histogram(
            "gen_ai_server_request_duration_seconds",
            "From a request's arrival to the end of its answer; error_type is the status of a failed one.",
            ["error_type"],
            _DURATION_SECONDS,
        )
        self._first_token_seconds = self._histogram(
            "gen_ai_server_time_to_first_token_seconds",
            "From a request's arrival to the first event of a streamed answer.",
            [],
            _FIRST_TOKEN_SECONDS,
        )
        self._tokens = self._histogram(
            "gen_ai_client_token_usage",
            "Tokens of a request: input, output, and of the input those read from and written to a cache.",
            ["gen_ai_token_type"],
            _TOKENS,
        )
        self._series: dict[tuple[str | None, str | None, str | None, int | None], _Series] = {}
        self._error_codes: set[str] = set()

    def _histogram(
        self, name: str, documentation: str, labels: list[str], bounds: tuple[float, ...]
    ) -> Histogram:
        names = ["gen_ai_operation_name", "gen_ai_request_model", *labels]
        return Histogram(name, documentation, names, registry=self.registry, buckets=bounds)

    def gauge(self, name: str, documentation: str, read: Callable[[], float]) -> None:
        """Add a figure that is read whenever metrics are collected."""
        Gauge(name, documentation, registry=self.registry).set_function(read)

    def gauges(
        self, name: str, documentation: str, label: str, read: Callable[[], Iterable[tuple[str, float]]]
    ) -> None:
        """Add a figure for each value of a label; both are read whenever metrics are collected."""
        self.registry.register(_Gauges(name, documentation, label, read))

    def count_refusal(self, priority: Priority) -> None:
        """Count a request that was refused because of overload."""
        self._refusals.labels(priority).inc()

    def count(self, record: RequestRecord) -> None:
        """Take in a request that has ended."""
        key = (record.operation, record.model, record.deployment, record.status)
        series = self._series.get(key)
        if series is None:
            series = self._series[key] = self._new_series(*key)
        series.count_request()
        if record.latency_ms is not None:
            series.observe_seconds(record.latency_ms / 1000)
        if record.time_to_first_token_ms is not None:
            series.observe_first_token_seconds(record.time_to_first_token_ms / 1000)
        _observe_tokens(series, record)
        self._count_attempts(series, record)
        if record.cached is not None:
            self._cache_lookups.labels(record.model, "hit" if record.cached else "miss").inc()

    def _count_attempts(self, series: _Series, record: RequestRecord) -> None:
        if record.deployment is not None and record.status == 200 and record.error_code is None:
            series.count_answer()
        for attempt in record.failed_attempts:
            deployment, _, code = attempt.partition(": ")
            self._attempts.labels(deployment, self._known(code)).inc()

    def _known(self, code: str) -> str:
        if len(self._error_codes) < _MOST_ERROR_CODES:
            self._error_codes.add(code)
        return code if code in self._error_codes else "other"

    def _new_series(
        self, operation: str | None, model: str | None, deployment: str | None, status: int | None
    ) -> _Series:
        error_type = str(status) if status != 200 else ""
        names = (_operation_name(operation), model or "")
        return _Series(
            self._requests.labels(operation or "", model or "", deployment or "", status).inc,
            self._attempts.labels(deployment or "", "").inc,
            self._seconds.labels(*names, error_type).observe,
            self._first_token_seconds.labels(*names).observe,
            *(
                self._tokens.labels(*names, kind).observe
                for kind in ("input", "output", "cache_read", "cache_write")
            ),
        )


def _observe_tokens(series: _Series, record: RequestRecord) -> None:
    if record.input_tokens is not None:
        series.observe_input_tokens(record.input_tokens)
    if record.output_tokens is not None:
        series.observe_output_tokens(record.output_tokens)
    if record.cache_read_tokens:
        series.observe_cache_read_tokens(record.cache_read_tokens)
    if record.cache_write_tokens:
        series.observe_cache_write_tokens(record.cache_write_tokens)


class _Gauges(Collector):
    def __init__(
        self, name: str, documentation: str, label: str, read: Callable[[], Iterable[tuple[str, float]]]
    ) -> None:
        self._name = name
        self._documentation = documentation
        self._label = label
        self._read = read

    def collect(self) -> Iterable[Metric]:
        family = GaugeMetricFamily(self._name, self._documentation, labels=[self._label])
        for value, figure in self._read():
            family.add_metric([value], figure)
        return [family]


def _operation_name(operation: str | None) -> str:
    """The conventions' name for what a request does, whichever API it came through."""
    if operation in {"chat_completions", "responses", "messages"}:
        return "chat"
    return operation or ""
