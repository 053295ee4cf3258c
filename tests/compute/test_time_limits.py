"""The chain of time limits from a caller's SDK to a model, link by link, each with its reason.

Whoever waits at the outer end waits longer than whoever works at the inner end, so that the innermost limit
ends a request: it knows what happened and can say so. The numbers are those that are deployed.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import anthropic
import openai
import pytest

from gateway import http_client, process, server
from gateway.catalog import Model
from gateway.catalog.deployments import TimeLimits
from gateway.connection import ConnectionRules
from gateway.settings import Settings, variable
from stacks.config.service import Service

if TYPE_CHECKING:
    from tests.compute.conftest import ComputePlatform, Deployed

SDKS = [openai, anthropic]
# AWS's own: what a NAT gateway and an interface endpoint forget a silent connection after, what the longest
# idle timeout of a load balancer is, and how long Fargate lets a container stop at most.
NAT_IDLE_SECONDS = 350
LONGEST_IDLE_TIMEOUT_SECONDS = 4000
LONGEST_STOP_SECONDS = 120
# For how long CloudFormation waits until a service of ECS is steady.
CLOUDFORMATION_MINUTES = 3 * 60


@pytest.fixture
def load_balancer(deployed: "Deployed") -> dict[str, str]:
    """The attributes of the load balancer."""
    (resource,) = deployed.assembly.resources("Edge", "AWS::ElasticLoadBalancingV2::LoadBalancer").values()
    return _attributes(resource["Properties"]["LoadBalancerAttributes"])


@pytest.fixture
def idle_seconds(load_balancer: dict[str, str]) -> int:
    return int(load_balancer["idle_timeout.timeout_seconds"])


@pytest.fixture
def target_groups(deployed: "Deployed") -> list[Mapping[str, Any]]:
    return list(deployed.template.resources("AWS::ElasticLoadBalancingV2::TargetGroup").values())


def _attributes(entries: list[dict[str, str]]) -> dict[str, str]:
    return {entry["Key"]: entry["Value"] for entry in entries}


def _setting(deployed: "Deployed", field: str) -> int:
    """A setting of the deployed gateway: from its environment, or as it is by itself."""
    given = deployed.view.gateway.environment
    return int(given.get(variable(field), Settings.model_fields[field].default))


def _longest(model: type[TimeLimits] | type[Model], field: str) -> float:
    """The largest number that the model configuration takes for a field, in seconds."""
    return float(model.model_json_schema()["properties"][field]["maximum"])


# From the caller to the load balancer.


@pytest.mark.parametrize("sdk", SDKS)
def test_an_sdk_waits_longer_than_the_gateway_tries_by_default(sdk: Any) -> None:
    # By some seconds, in which the gateway's error arrives. Otherwise it gives up and asks again while the
    # first answer, which is paid for, is being made. Where a model is given more time, its callers have to
    # give their SDK more.
    assert Model.model_fields["deadline_seconds"].default + 10 <= sdk.DEFAULT_TIMEOUT.read
    assert TimeLimits().whole_answer_seconds + 10 <= sdk.DEFAULT_TIMEOUT.read


@pytest.mark.parametrize("sdk", SDKS)
def test_an_sdk_leaves_an_idle_connection_before_the_load_balancer_does(sdk: Any, idle_seconds: int) -> None:
    # Otherwise it may send a request into a connection that is just being closed.
    assert sdk.DEFAULT_CONNECTION_LIMITS.keepalive_expiry < idle_seconds


def test_a_connection_in_use_is_not_replaced_at_every_request(
    load_balancer: dict[str, str], idle_seconds: int
) -> None:
    # The load balancer closes a connection of this age after the answer that is running.
    assert int(load_balancer["client_keep_alive.seconds"]) > idle_seconds


# From the load balancer to the gateway.


@pytest.mark.parametrize(
    ("model", "field"),
    [
        # Nothing is sent before an answer begins, whatever is tried meanwhile ...
        (Model, "deadline_seconds"),
        # ... nor before one that is not streamed is whole, nor between two pieces of a stream.
        (TimeLimits, "whole_answer_seconds"),
        (TimeLimits, "first_byte_seconds"),
        (TimeLimits, "between_chunks_seconds"),
    ],
)
def test_the_load_balancer_outwaits_every_silence_of_the_gateway(
    model: type[TimeLimits] | type[Model], field: str, idle_seconds: int
) -> None:
    # With some seconds to spare: the gateway's own error says what was too slow, a cut connection does not.
    assert idle_seconds >= _longest(model, field) + 30


def test_a_thought_of_fifteen_minutes_is_possible() -> None:
    assert min(_longest(Model, "deadline_seconds"), _longest(TimeLimits, "between_chunks_seconds")) >= 15 * 60


def test_the_load_balancer_closes_idle_connections_to_the_gateway_and_not_the_gateway(
    idle_seconds: int,
) -> None:
    # A request that meets a connection which the gateway has just closed ends as a 502. The gateway's number
    # holds for every idle timeout that a load balancer can have.
    assert idle_seconds <= LONGEST_IDLE_TIMEOUT_SECONDS < server._KEEP_ALIVE_SECONDS


def test_the_gateway_gives_up_callers_that_stall_before_the_load_balancer_does(
    deployed: "Deployed", idle_seconds: int
) -> None:
    # They hold memory in the gateway, which knows that they are stalled and not waiting.
    assert _setting(deployed, "write_stall_seconds") < idle_seconds
    assert ConnectionRules().head_seconds < idle_seconds
    assert ConnectionRules().rest_seconds < idle_seconds


def test_a_task_that_is_not_ready_is_left_within_a_minute(target_groups: list[Mapping[str, Any]]) -> None:
    for group in target_groups:
        assert group["HealthCheckTimeoutSeconds"] < group["HealthCheckIntervalSeconds"]
        assert group["HealthCheckIntervalSeconds"] * group["UnhealthyThresholdCount"] <= 60


# From the gateway to the model.


def test_each_wait_for_a_model_fits_into_the_one_around_it() -> None:
    limits, deadline = TimeLimits(), Model.model_fields["deadline_seconds"].default
    assert limits.connect_seconds < limits.first_byte_seconds <= limits.whole_answer_seconds <= deadline
    # A second deployment can be tried within the deadline when the first has not begun to answer.
    assert 2 * limits.first_byte_seconds <= deadline


def test_a_model_may_think_longer_than_the_network_remembers_a_silent_connection() -> None:
    # So the gateway's connections give a sign of life well before they are forgotten.
    assert _longest(TimeLimits, "between_chunks_seconds") > NAT_IDLE_SECONDS
    assert 2 * http_client._KEEPALIVE_SECONDS < NAT_IDLE_SECONDS


def test_connections_to_providers_are_not_kept_until_the_network_forgets_them() -> None:
    assert http_client._IDLE_SECONDS < NAT_IDLE_SECONDS


# When a task stops.


def test_the_gateway_finishes_before_it_is_killed(deployed: "Deployed") -> None:
    serving = _setting(deployed, "lame_duck_seconds") + _setting(deployed, "drain_seconds")
    # Then what is left is ended, and what was used is written down.
    finishing = server._FLUSH_SECONDS + process._LEDGER_SECONDS
    assert serving + finishing < deployed.view.stop_seconds <= deployed.view.leave_seconds


def test_a_task_has_no_longer_to_stop_than_fargate_lets_it(
    environment: str, deployments: "Callable[[str, ComputePlatform], Deployed]"
) -> None:
    assert deployments(environment, "ecs").view.stop_seconds <= LONGEST_STOP_SECONDS


def test_answers_finish_while_no_new_requests_come(
    target_groups: list[Mapping[str, Any]], deployed: "Deployed"
) -> None:
    # The load balancer waits for as long as is configured, and for as long the gateway is kept: on ECS its
    # own drain is far shorter, on Kubernetes it is the same.
    drain_seconds = deployed.config.service.drain_minutes * 60
    assert target_groups
    for group in target_groups:
        delay = int(_attributes(group["TargetGroupAttributes"])["deregistration_delay.timeout_seconds"])
        assert delay == drain_seconds
        assert deployed.view.leave_seconds >= delay
    if deployed.config.compute.platform == "eks":
        assert _setting(deployed, "drain_seconds") == drain_seconds


def test_by_default_no_answer_is_cut_that_the_load_balancer_would_wait_for(idle_seconds: int) -> None:
    longest = max(_longest(Model, "deadline_seconds"), _longest(TimeLimits, "whole_answer_seconds"))
    default = Service.model_fields["drain_minutes"].default * 60
    assert longest < default == idle_seconds


def test_a_rollout_fits_into_what_cloudformation_gives_a_service() -> None:
    # Until the canary and the version before it have had their time, and the old tasks their answers; what is
    # left is for new tasks to start.
    fields = Service.model_json_schema()["properties"]
    minutes = 2 * fields["canary_minutes"]["maximum"] + fields["drain_minutes"]["maximum"]
    assert minutes <= CLOUDFORMATION_MINUTES - 30
