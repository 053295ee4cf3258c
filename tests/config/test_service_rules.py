"""What the sections `service` and `alarms` refuse, and in which words."""

from collections.abc import Callable
from pathlib import Path

import pytest

from stacks.config.load import load_environment
from stacks.config.service import COLLECTOR_IMAGE

ProblemsAfter = Callable[..., list[str]]

COPY = f"111111111111.dkr.ecr.us-east-1.amazonaws.com/gatehouse/collector@sha256:{64 * 'a'}"
NO_NAT = ("nat: one", "nat: none")


def _with(line: str) -> tuple[str, str]:
    """An edit that adds a line to the section `service`."""
    return "service:\n", f"service:\n  {line}\n"


def test_production_does_not_run_on_spot(problems_after: ProblemsAfter) -> None:
    (problem,) = problems_after("prod", _with("spot_percent: 50"))
    assert "service.spot_percent is 50; allowed: in prod 0: AWS takes spot capacity back" in problem


def test_staging_may_run_on_spot(config_directory: Path) -> None:
    file = config_directory / "staging.yaml"
    file.write_text(file.read_text().replace(*_with("spot_percent: 50")))
    assert load_environment("staging", config_directory).service.spot_percent == 50


@pytest.mark.parametrize("minutes", [0, 17])
def test_answers_get_no_longer_to_end_than_the_load_balancer_waits_for_one(
    problems_after: ProblemsAfter, minutes: int
) -> None:
    (problem,) = problems_after("dev", ("drain_minutes: 1 ", f"drain_minutes: {minutes} "))
    assert f"service.drain_minutes is {minutes}; allowed: a whole number from 1 to 16" in problem


def test_the_collector_comes_by_its_digest(problems_after: ProblemsAfter) -> None:
    tagged = COLLECTOR_IMAGE.partition("@")[0] + ":v0.50.0"
    (problem,) = problems_after("dev", _with(f"collector_image: {tagged}"))
    assert f"service.collector_image is {tagged}; allowed: an image by its digest" in problem


def test_without_nat_the_collector_cannot_come_from_a_public_registry(problems_after: ProblemsAfter) -> None:
    (problem,) = problems_after("dev", NO_NAT)
    assert "service.collector_image is public.ecr.aws/" in problem
    assert "allowed: an image in Amazon ECR in us-east-1, as network.nat is none" in problem


def test_nor_can_it_come_from_another_region(problems_after: ProblemsAfter) -> None:
    elsewhere = COPY.replace("us-east-1", "eu-west-1")
    (problem,) = problems_after("dev", NO_NAT, _with(f"collector_image: {elsewhere}"))
    assert "service.collector_image is 111111111111.dkr.ecr.eu-west-1.amazonaws.com/" in problem
    assert "allowed: an image in Amazon ECR in us-east-1" in problem


@pytest.mark.parametrize("written", [COPY, "null"])
def test_without_nat_it_comes_from_ecr_or_not_at_all(config_directory: Path, written: str) -> None:
    file = config_directory / "dev.yaml"
    edited = file.read_text().replace(*NO_NAT).replace(*_with(f"collector_image: {written}"))
    file.write_text(edited)
    assert load_environment("dev", config_directory).service.collector_image in {COPY, None}


def test_an_alarm_is_told_to_an_address(problems_after: ProblemsAfter) -> None:
    listed = ("service:\n", "alarms:\n  emails: [on-call@example.com, nobody]\n\nservice:\n")
    (problem,) = problems_after("dev", listed)
    assert "alarms.emails[1] is nobody; allowed: an e-mail address" in problem
