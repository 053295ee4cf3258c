"""What the metrics tell of a process as it is at the moment they are collected."""

from collections.abc import Sized
from hashlib import sha256

from gateway.load_shedding import LoadShedding
from gateway.metrics import Metrics
from gateway.model_service import ModelService
from gateway.reachability import Reachability


def add_gauges(
    metrics: Metrics,
    *,
    running: Sized,
    shedding: LoadShedding,
    service: ModelService,
    reachability: Reachability,
) -> None:
    """Let the metrics include the state of these parts."""
    metrics.gauge("gatehouse_requests_in_flight", "Requests that are being answered.", lambda: len(running))
    metrics.gauge(
        "gatehouse_event_loop_delay_seconds",
        "By how much the process is late to do what is due; load is shed by it.",
        lambda: shedding.delay_seconds,
    )
    metrics.gauges(
        "gatehouse_deployment_cooling",
        "1 for each deployment that is left alone for now.",
        "deployment",
        lambda: [(state.name, 1) for state in service.states.cooling()],
    )
    metrics.gauges(
        "gatehouse_dependency_reachable",
        "1 if the service beside the gateway answered the last check.",
        "dependency",
        lambda: [(name, state == "reachable") for name, state in reachability.states.items()],
    )
    metrics.gauges(
        "gatehouse_catalog_info",
        "The model catalog that is served, by the beginning of its SHA-256 digest.",
        "digest",
        lambda: [(_digest(service), 1)],
    )


def _digest(service: ModelService) -> str:
    return sha256(service.answering.catalog.model_dump_json().encode()).hexdigest()[:12]
