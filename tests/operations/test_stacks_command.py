"""The order of a deployment and the path that decides its length."""

import json
from collections.abc import Callable
from pathlib import Path

from operations.assembly import Resource, Stack
from operations.waves import critical_path, minutes, waves
from tests.operations.conftest import Run


def _stack(name: str, *after: str, kind: str = "AWS::IAM::Role") -> Stack:
    return Stack(name, after, {"Only": Resource(kind, {})})


STACKS = {
    stack.name: stack
    for stack in (
        _stack("Keys"),
        _stack("Network", "Keys", kind="AWS::EC2::NatGateway"),
        _stack("Data", "Keys", "Network", kind="AWS::RDS::DBInstance"),
        _stack("Edge", "Network", kind="AWS::CertificateManager::Certificate"),
        _stack("Service", "Data", "Edge", kind="AWS::ECS::Service"),
        _stack("Audit", "Keys"),
    )
}


def test_a_wave_holds_what_waits_for_nothing_but_earlier_waves() -> None:
    assert waves(STACKS) == [["Keys"], ["Audit", "Network"], ["Data", "Edge"], ["Service"]]


def test_the_critical_path_leads_through_the_slowest() -> None:
    assert critical_path(STACKS) == ["Keys", "Network", "Data", "Service"]
    assert minutes(STACKS["Data"]) > minutes(STACKS["Edge"])


def test_what_waits_for_each_other_within_a_stack_is_summed() -> None:
    kinds = ("AWS::EKS::Cluster", "AWS::EKS::Addon", "Custom::KubernetesManifests")
    stack = Stack("Service", (), {kind: Resource(kind, {}) for kind in kinds})
    assert minutes(stack) == sum(minutes(_stack("One", kind=kind)) for kind in kinds) == 16


def test_the_command_shows_waves_and_the_critical_path(run: Run, synthesized: Callable[[str], Path]) -> None:
    folder = str(synthesized("dev"))
    shown = run("stacks", "--assembly", folder)
    assert shown.exit_code == 0, shown.stderr
    assert "critical path (*): Keys → Network → Data → Service" in shown.stdout
    facts = json.loads(run("stacks", "--assembly", folder, "--json").stdout)
    assert facts["stacks"]["Data"]["after"] == ["Keys", "Network"]
    assert {name for wave in facts["waves"] for name in wave} == facts["stacks"].keys()
