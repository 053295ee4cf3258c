"""The platform with its gateway on Kubernetes, once: deployed, its manifests applied, asked, stopped."""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from local.options import ROOT, STATE_VARIABLE, Options, read_options
from operations.assembly import read_stacks

Report = dict[str, Any]


@pytest.fixture(scope="module")
def own_environ(environ: dict[str, str]) -> Iterator[dict[str, str]]:
    """Its own folder: what is left there belongs to another environment than that of the other tests."""
    state = Path(tempfile.mkdtemp(prefix="gatehouse-eks-"))
    yield {**environ, STATE_VARIABLE: str(state)}
    shutil.rmtree(state, ignore_errors=True)


@pytest.fixture(scope="module")
def options(own_environ: dict[str, str]) -> Options:
    return read_options(own_environ, "prod-eks")


@pytest.fixture(scope="module")
def report(
    own_environ: dict[str, str], options: Options, provide_assembly: Callable[[Options], None]
) -> Report:
    provide_assembly(options)
    command = [sys.executable, "-m", "local", "smoke", "--environment", "prod-eks", "--json"]
    result = subprocess.run(command, cwd=ROOT, env=own_environ, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    report: Report = json.loads(result.stdout)
    return report


def test_every_stack_is_created(report: Report, options: Options) -> None:
    # One gateway runs on this machine: the standby's is left out.
    synthesized = {
        stack.deployed_name: len(stack.resources)
        for stack in read_stacks(options.assembly).values()
        if not stack.deployed_name.startswith("gatehouse-prod-eks-Standby-")
    }
    assert {stack["name"]: stack["resources"] for stack in report["stacks"]} == synthesized
    assert {stack["status"] for stack in report["stacks"]} == {"CREATE_COMPLETE"}


def test_the_gateway_of_the_applied_deployment_answers(report: Report) -> None:
    assert report["task_definition"] == "Deployment gatehouse/gateway"
    assert report["answers"]["whole"]
    assert report["answers"]["chunks"] > 1
    assert report["usage"]["requests"] == 2


def test_the_migrations_ran_as_the_applied_job(report: Report, options: Options) -> None:
    events = [json.loads(line) for line in (options.logs / "migrations.log").read_text().splitlines()]
    assert events[-1]["event"] == "migration_finished"
    assert [event["event"] for event in events].count("migration_finished") == 1


def test_only_addresses_are_mapped(report: Report) -> None:
    mapped = {row["variable"]: row["deployed"] for row in report["addresses"]}
    assert mapped["GATEWAY_SECRETS_DIRECTORY"] == "/run/secrets/gatehouse"
    assert mapped["AWS_CONTAINER_CREDENTIALS_FULL_URI"] == "http://169.254.170.23/... (EKS)"
