"""What holds for the gateway on either platform, in every environment."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from gatehouse import collector, names
from gateway import DEFAULT_METRICS_PORT
from gateway.settings import variable
from stacks.config.files import environment_names
from tests.compute.differences import MEANT
from tests.compute.view import Container, different

if TYPE_CHECKING:
    from tests.compute.conftest import ComputePlatform, Deployed


def _containers(deployed: "Deployed") -> list[Container]:
    view = deployed.view
    return [view.gateway, view.migrations, *([view.collector] if view.collector else [])]


def test_no_container_can_change_its_host_or_its_own_files(deployed: "Deployed") -> None:
    for container in _containers(deployed):
        assert container.read_only_root
        assert container.capabilities_dropped == ("ALL",)
        assert container.user > 0
        assert not container.privileged


def test_what_a_container_may_write_is_in_memory_and_bounded(deployed: "Deployed") -> None:
    for container in (deployed.view.gateway, deployed.view.migrations):
        assert container.temporary_mib == {"/tmp": 64}
        assert sum(container.temporary_mib.values()) < container.memory_mib / 2


def test_gateway_and_collector_share_what_is_configured(deployed: "Deployed") -> None:
    gateway, sidecar, service = deployed.view.gateway, deployed.view.collector, deployed.config.service
    assert sidecar is not None
    # Thousandths of a core are cut, not rounded.
    millicores = service.cpu_units * 1000 / 1024
    assert millicores - 2 < gateway.cpu_millicores + sidecar.cpu_millicores <= millicores
    assert gateway.memory_mib + sidecar.memory_mib == service.memory_mib


def test_it_runs_on_the_configured_processor(deployed: "Deployed") -> None:
    assert deployed.view.architecture == deployed.config.service.cpu_architecture


def test_images_are_pinned(deployed: "Deployed") -> None:
    view = deployed.view
    assert view.collector is not None
    assert re.search(r"@sha256:[0-9a-f]{64}$", view.collector.image)
    # Our own is named by the hash of what it is built from, in a repository whose tags never move.
    assert re.search(rf"/{names.image_repository(deployed.environment)}:[0-9a-f]{{64}}$", view.gateway.image)


def test_each_process_of_the_gateway_is_scraped(deployed: "Deployed") -> None:
    workers = int(deployed.view.gateway.environment[variable("workers")])
    assert deployed.view.collector is not None
    configuration = deployed.view.collector.environment[collector.VARIABLE]
    for index in range(workers):
        assert f'"127.0.0.1:{DEFAULT_METRICS_PORT + index}"' in configuration


def test_it_is_in_every_zone_and_never_short_of_copies(deployed: "Deployed") -> None:
    view, config = deployed.view, deployed.config
    assert view.zones == len(config.network.availability_zones) >= 2
    assert (view.minimum, view.maximum) == (config.service.minimum_tasks, config.service.maximum_tasks)
    assert view.fewer_percent == 0
    assert view.more_percent > 0


def test_a_new_version_is_taken_back_where_callers_suffer_and_not_where_the_database_is_away(
    deployed: "Deployed",
) -> None:
    alarms = deployed.view.alarms
    of_the_database = {
        said for said, alarm in alarms.items() if alarm.get("MetricName") == collector.LEDGER_WRITABLE
    }
    assert len(of_the_database) == 1
    assert deployed.view.taken_back_by == alarms.keys() - of_the_database


def test_every_alarm_tells_the_environment_s_topic(deployed: "Deployed") -> None:
    config = deployed.config
    (resource,) = deployed.assembly.resources("Observability", "AWS::SNS::Topic").values()
    topic = f"arn:aws:sns:{config.region}:{config.account}:{resource['Properties']['TopicName']}"
    for alarm in deployed.view.alarms.values():
        assert alarm["AlarmActions"] == alarm["OKActions"] == [topic]


def test_other_accounts_know_its_role_by_name(deployed: "Deployed") -> None:
    assert deployed.view.role_name == names.task_role(deployed.environment, deployed.config.region)


def test_logs_are_kept_as_configured(deployed: "Deployed") -> None:
    assert deployed.view.log_days == {deployed.config.log_retention_days}


@pytest.fixture(scope="module")
def found(deployments: "Callable[[str, ComputePlatform], Deployed]") -> dict[str, set[str]]:
    """Where the platforms differ, by environment."""
    return {
        name: different(deployments(name, "ecs").view, deployments(name, "eks").view)
        for name in environment_names()
    }


def test_nothing_differs_but_what_is_meant_to(found: dict[str, set[str]]) -> None:
    unexplained = {
        name: sorted(path for path in paths if not any(re.fullmatch(each, path) for each in MEANT))
        for name, paths in found.items()
    }
    assert unexplained == {name: [] for name in found}


@pytest.mark.parametrize("path", MEANT)
def test_every_difference_that_is_listed_is_there(path: str, found: dict[str, set[str]]) -> None:
    assert any(re.fullmatch(path, each) for paths in found.values() for each in paths)
