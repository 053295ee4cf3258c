"""The report for auditors holds every rule, every finding and every reason."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from operations.compliance.report import page, read_compliance
from operations.compliance.rule_packs import PACKS, rules_of
from tests.operations.conftest import Run

SECRET = "gatehouse-prod/Data/Secret"
BUCKET = "gatehouse-prod/Data/Bucket"


def _finding(rule: str, *constructs: str, reason: str | None = None) -> dict[str, Any]:
    finding: dict[str, Any] = {
        "ruleName": rule,
        "description": "It is | *wrong*.",
        "violatingConstructs": [{"constructPath": construct} for construct in constructs],
    }
    return finding | ({"reason": reason} if reason else {})


def _write_manifest(folder: Path, stage: str) -> None:
    properties = {"displayName": stage, "directoryName": f"assembly-{stage}"}
    artifact = {"type": "cdk:cloud-assembly", "properties": properties}
    (folder / "manifest.json").write_text(json.dumps({"artifacts": {f"assembly-{stage}": artifact}}))


@pytest.fixture
def assembly(tmp_path: Path) -> Path:
    """An assembly with one open finding and two that are acknowledged."""
    reports: list[Mapping[str, Any]] = [
        {
            "pluginName": "AwsSolutions",
            "violations": [_finding("AwsSolutions-SMG4", SECRET)],
            "suppressedViolations": [
                _finding("AwsSolutions-IAM5[Resource::*]", SECRET, BUCKET, reason="It takes no resource.")
            ],
        },
        {"pluginName": "CloudFormation Validate", "pluginVersion": "1.12.1"},
    ]
    _write_manifest(tmp_path, "gatehouse-prod")
    (tmp_path / "validation-report.json").write_text(json.dumps({"pluginReports": reports}))
    return tmp_path


def _section(text: str, title: str) -> list[str]:
    section = text.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]
    return [line for line in section.splitlines() if line.startswith("| ")][2:]


def test_open_findings_are_apart(assembly: Path) -> None:
    (line,) = _section(page(read_compliance("prod", assembly)), "Open findings")
    assert line == f"| AwsSolutions-SMG4 | It is \\| \\*wrong\\*. | {SECRET} |"


def test_each_acknowledged_finding_has_its_reason(assembly: Path) -> None:
    lines = _section(page(read_compliance("prod", assembly)), "Acknowledged findings")
    assert [line.split(" | ")[2:] for line in lines] == [
        [BUCKET, "It takes no resource. |"],
        [SECRET, "It takes no resource. |"],
    ]


def test_every_rule_of_a_pack_is_there_with_its_result(assembly: Path) -> None:
    lines = _section(page(read_compliance("prod", assembly)), "Rules of AwsSolutions")
    results = {line.split(" | ")[0].removeprefix("| "): line.split(" | ")[-1] for line in lines}
    assert results.keys() == {rule.id for rule in rules_of("AwsSolutions")}
    assert results["AwsSolutions-SMG4"] == "1 open |"
    assert results["AwsSolutions-IAM5"] == "2 acknowledged |"
    assert results["AwsSolutions-S1"] == "nothing found |"


def test_a_page_without_open_findings_says_so(assembly: Path) -> None:
    report = json.loads((assembly / "validation-report.json").read_text())
    report["pluginReports"][0].pop("violations")
    (assembly / "validation-report.json").write_text(json.dumps(report))
    assert "## Open findings\n\nNone.\n" in page(read_compliance("prod", assembly))


@pytest.mark.parametrize("pack", PACKS)
def test_rules_are_read_from_the_installed_packs(pack: str) -> None:
    rules = rules_of(pack)
    assert len(rules) > 80
    assert all(rule.id.startswith(f"{pack}-") and len(rule.finding) > 20 for rule in rules)


def test_rules_of_nist_name_the_controls() -> None:
    (rule,) = (rule for rule in rules_of("NIST.800.53.R5") if rule.id.endswith("-S3BucketSSLRequestsOnly"))
    assert "SC-8" in rule.finding


def test_an_open_finding_fails_the_command(run: Run, assembly: Path) -> None:
    shown = run("compliance", "--environment", "prod", "--assembly", str(assembly))
    assert shown.exit_code == 1
    assert shown.stdout.startswith("# Compliance of prod\n")


def test_programs_read_json(run: Run, assembly: Path) -> None:
    shown = run("compliance", "--environment", "prod", "--assembly", str(assembly), "--json")
    found = json.loads(shown.stdout)
    assert [finding["rule"] for finding in found["open"]] == ["AwsSolutions-SMG4"]
    assert {finding["reason"] for finding in found["acknowledged"]} == {"It takes no resource."}


def test_an_assembly_without_a_report_is_refused(run: Run, tmp_path: Path) -> None:
    _write_manifest(tmp_path, "gatehouse-dev")
    shown = run("compliance", "--assembly", str(tmp_path))
    assert shown.exit_code == 2
    assert "holds no validation-report.json: write one with make synth-dev" in shown.stderr


@pytest.mark.parametrize("command", ["compliance", "cost", "stacks"])
def test_the_assembly_of_another_environment_is_refused(run: Run, assembly: Path, command: str) -> None:
    shown = run(command, "--environment", "staging", "--assembly", str(assembly))
    assert shown.exit_code == 2
    assert "holds gatehouse-prod, not gatehouse-staging" in shown.stderr
    assert shown.stdout == ""


def test_the_report_of_the_app_names_only_rules_that_the_packs_have(
    synthesized: Callable[[str], Path],
) -> None:
    found = read_compliance("prod", synthesized("prod"))
    known = {rule.id for pack in PACKS for rule in rules_of(pack)}
    named = {finding.rule.partition("[")[0] for finding in found.findings if finding.pack in PACKS}
    assert found.acknowledged
    assert named <= known
