"""The recovery commands against a region that takes connections and never says a word."""

import json
import socket
import threading
from collections.abc import Iterator

import pytest
from botocore.config import Config

from operations.recovery import reach
from operations.recovery.display import MOST_SILENCES
from tests.operations.conftest import Run
from tests.operations.recovery.conftest import Command
from tests.operations.recovery.test_status_and_drills import HEALTHY
from tests.operations.recovery.world import PRIMARY, STANDBY, World


@pytest.fixture
def silence(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of a server that accepts and never answers; its clients soon give up."""
    soon = Config(read_timeout=0.2, retries={"total_max_attempts": 1})
    monkeypatch.setattr(reach, "CONFIG", reach.CONFIG.merge(soon))
    with socket.create_server(("127.0.0.1", 0), backlog=128) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def test_a_silent_region_is_named_and_all_that_is_known_is_told(run: Run, world: World, silence: str) -> None:
    world.answers |= HEALTHY
    world.gateways[PRIMARY] = "no answer"
    world.sent_to = lambda _operation, region: silence if region == PRIMARY else None
    result = run("status", "--environment", "prod", "--json")
    assert result.exit_code == 3
    assert "no answer from us-east-1; 5 of 10 checks found something" in result.stderr
    found = json.loads(result.stdout)
    assert found["silent"] == [PRIMARY]
    checks = {check["what"]: check for check in found["checks"]}
    assert checks["secrets"]["found"] == "us-east-1 does not answer"
    assert checks["database"]["state"] == checks["KMS keys"]["state"] == checks["plan"]["state"] == "ok"


def test_a_region_that_was_silent_is_not_asked_again(run: Run, world: World, silence: str) -> None:
    world.answers |= HEALTHY
    world.sent_to = lambda _operation, region: silence if region == PRIMARY else None
    run("status", "--environment", "prod")
    asked = {operation for _, region, operation in world.asked if region == PRIMARY}
    assert asked == {"GetMetricData", "ListPlansInRegion"}


def test_without_any_answer_both_regions_are_named(run: Run, world: World, silence: str) -> None:
    world.sent_to = lambda _operation, _region: silence
    result = run("status", "--environment", "prod")
    assert result.exit_code == 3
    assert "no answer from us-east-1 and us-west-2" in result.stderr


def test_a_failover_from_a_silent_region_is_run_to_its_end(
    failover: Command, world: World, silence: str
) -> None:
    world.gateways[PRIMARY] = "no answer"
    world.sent_to = lambda _operation, region: silence if region == PRIMARY else None
    result = failover()
    assert result.exit_code == 0, result.output


def test_a_failover_to_a_silent_region_is_not_begun(failover: Command, world: World, silence: str) -> None:
    world.sent_to = lambda _operation, region: silence if region == STANDBY else None
    result = failover()
    assert result.exit_code == 3
    assert "AWS cannot be asked: Read timeout" in result.stderr
    assert not world.executions()


def test_whoever_watches_a_region_that_falls_silent_is_told_what_to_do(
    failover: Command, world: World, silence: str
) -> None:
    world.gates["promote-database"] = threading.Event()
    looks = []

    def falls_silent(operation: str, _region: str) -> str | None:
        if operation != "GetPlanExecution":
            return None
        looks.append(operation)
        if len(looks) <= MOST_SILENCES + 2:
            return silence
        world.gates["promote-database"].set()
        return None

    world.sent_to = falls_silent
    result = failover()
    assert result.exit_code == 0, result.output
    assert result.stderr.count("does not say how far it is") == 1
    advice = f"has not answered {MOST_SILENCES} times in a row"
    assert result.stderr.count(advice) == 1
    (told,) = (line for line in result.stderr.splitlines() if advice in line)
    assert "Ctrl-C stops nothing but this command" in told
    assert "is watched again with: gatehouse" in told
