"""What the recovery commands do not begin, and what can be forced."""

from collections.abc import Callable

import pytest

from tests.operations.recovery.conftest import Command, done
from tests.operations.recovery.world import PRIMARY, STANDBY, World


def _behind(world: World) -> None:
    world.lag[STANDBY] = [200.0, 200.0]


def _lost(world: World) -> None:
    world.gateways[PRIMARY] = "no answer"


def _unhealthy(world: World) -> None:
    world.gateways[STANDBY] = "unhealthy"


def _not_ready(world: World) -> None:
    (arn,) = world.service.plans
    world.service.warnings[arn] = [
        {
            "version": "1",
            "warningStatus": "active",
            "warningUpdatedTime": 0,
            "warningMessage": "the role may not promote",
        }
    ]


def _no_replica(world: World) -> None:
    world.lag.clear()


def _other_account(world: World) -> None:
    world.account = "999999999999"


def _signed_out(world: World) -> None:
    world.answers["GetCallerIdentity"] = "ExpiredToken"


def _no_plan(world: World) -> None:
    world.service.plans.clear()


def _replica_here(world: World) -> None:
    world.lag[PRIMARY] = world.lag.pop(STANDBY)


REFUSALS = {
    "was 3 min 20 s behind, of 30 s that may be lost": (_behind, ()),
    "cannot be left without a loss": (_lost, ("--lossless",)),
    "the gateways of us-west-2 are unhealthy": (_unhealthy, ()),
    "the role may not promote": (_not_ready, ()),
    "is no replica that follows another": (_no_replica, ()),
    "are of account 999999999999": (_other_account, ()),
    "takes no credentials of this shell": (_signed_out, ()),
    "us-west-2 knows no plan gatehouse-prod": (_no_plan, ()),
    "us-west-2 serves already": (_replica_here, ()),
}


@pytest.mark.parametrize("problem", REFUSALS)
def test_what_is_not_safe_is_refused(command: Command, world: World, problem: str) -> None:
    spoil, arguments = REFUSALS[problem]
    spoil(world)
    result = command("failover", "--to", STANDBY, "--yes", *arguments)
    assert result.exit_code == 6, result.output
    assert problem in result.stderr
    assert "StartPlanExecution" not in {operation for _, _, operation in world.asked}


@pytest.mark.parametrize("spoil", [_behind, _unhealthy, _not_ready, _no_replica])
def test_what_is_only_worse_than_it_should_be_can_be_forced(
    command: Command, world: World, spoil: Callable[[World], None]
) -> None:
    spoil(world)
    result = command("failover", "--to", STANDBY, "--yes", "--forced")
    assert len(world.executions()) == 1
    assert result.exit_code in (0, 4), result.output


def test_a_region_that_is_thought_to_serve_can_be_activated_by_force(command: Command, world: World) -> None:
    """Whoever was told wrongly who serves must not be kept from it at night."""
    _replica_here(world)
    assert done(command("failover", "--to", STANDBY, "--yes", "--forced", "--json"))["to_region"] == STANDBY


def test_a_cancelled_failover_can_be_come_back_from(command: Command, world: World) -> None:
    """Callers may have moved already, so that it does not do to say that nothing is to be done."""
    world.failing["open-region"] = 1
    assert command("failover", "--to", STANDBY, "--yes", "--on-failure", "cancel").exit_code == 1
    refused = command("failover", "--to", PRIMARY, "--yes")
    assert refused.exit_code == 6
    assert "was to leave it and was not done: go on with --to us-west-2, or come back" in refused.stderr
    assert done(command("failover", "--to", PRIMARY, "--yes", "--forced", "--json"))["to_region"] == PRIMARY


def test_a_database_that_was_promoted_by_a_cancelled_failover_is_not_replaced(
    command: Command, world: World
) -> None:
    world.failing["verify"] = 1
    assert command("failover", "--to", STANDBY, "--yes", "--on-failure", "cancel").exit_code == 1
    refused = command("protect", "--yes")
    assert refused.exit_code == 6
    assert "had begun to promote its database: go on with gatehouse failover --to us-west-2" in refused.stderr
    assert len(world.executions()) == 1


def test_nothing_is_protected_while_nobody_says_what_is_a_replica(command: Command, world: World) -> None:
    done(command("failover", "--to", STANDBY, "--yes", "--json"))
    world.answers["GetMetricData"] = "InternalServiceFault"
    result = command("protect", "--yes")
    assert result.exit_code == 6
    assert "whether us-east-1 follows us-west-2 is unknown (InternalServiceFault" in result.stderr
    assert len(world.executions()) == 1


def test_what_is_protected_already_is_not_protected_again(command: Command, world: World) -> None:
    result = command("protect", "--yes")
    assert result.exit_code == 6
    assert "us-west-2 follows us-east-1 already" in result.stderr


def test_a_lag_from_before_the_promotion_is_of_no_replica(command: Command, world: World) -> None:
    """CloudWatch goes on telling of the replica that was promoted."""
    done(command("failover", "--to", STANDBY, "--yes", "--json"))
    world.lag[STANDBY] = [1.0]
    world.lag_age_seconds = 60
    done(command("protect", "--yes", "--json"))
    assert [each.request.region for each in world.executions()] == [STANDBY, PRIMARY]


def test_a_lag_of_long_ago_is_of_no_replica(command: Command, world: World) -> None:
    world.lag_age_seconds = 600
    result = command("failover", "--to", STANDBY, "--yes")
    assert result.exit_code == 6
    assert "is no replica that follows another" in result.stderr
