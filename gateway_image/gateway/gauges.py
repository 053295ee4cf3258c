"""What the metrics tell of a process as it is at the moment they are collected."""

from collections.abc import Sized
from hashlib import sha256

from gateway.load_shedding import LoadShedding
from gateway.metrics import Metrics
from gateway.model_service import ModelService
from gateway.parts import Parts


def add_gauges(
    metrics: Metrics,
    *,
    running: Sized,
    shedding: LoadShedding,
    parts: Parts,
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
        lambda: [(state.name, 1) for state in parts.service.states.cooling()],
    )
    metrics.gauges(
        "gatehouse_dependency_reachable",
        "1 if the service beside the gateway answered the last check.",
        "dependency",
        lambda: [
            (name, state in {"reachable", "read_only"}) for name, state in parts.reachability.states.items()
        ],
    )
    metrics.gauge(
        "gatehouse_database_read_only",
        "1 while the database is a replica, which takes no changes.",
        lambda: parts.reachability.states["database"] == "read_only",
    )
    metrics.gauge(
        "gatehouse_ledger_spooled_rows",
        "Rows of usage that wait to be written to the database.",
        lambda: parts.ledger.spooled_rows,
    )
    metrics.gauge(
        "gatehouse_ledger_writable",
        "0 while usage waits that could not be written to the database, 1 otherwise.",
        lambda: parts.ledger.is_writable,
    )
    metrics.gauge(
        "gatehouse_ledger_spilled_rows",
        "Rows of usage that went to the log since the start, because they could not be kept or written.",
        lambda: parts.ledger.spilled_rows,
    )
    metrics.gauge(
        "gatehouse_directory_age_seconds",
        "How long ago keys, projects and roles were last compared with the database.",
        lambda: parts.directory.age_seconds,
    )
    metrics.gauges(
        "gatehouse_catalog_info",
        "The model catalog that is served, by the beginning of its SHA-256 digest.",
        "digest",
        lambda: [(_digest(parts.service), 1)],
    )


def _digest(service: ModelService) -> str:
    return sha256(service.answering.catalog.model_dump_json().encode()).hexdigest()[:12]
