"""The rule packs: nothing open, and everything acknowledged says why."""

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.stacks.conftest import Assembly

ID_PREFIXES = {
    "AwsSolutions": "AwsSolutions::AwsSolutions-",
    "CloudFormation Validate": "CloudFormation-Validate::",
}
# What a rule pack calls an error in an environment that has to stay up.
AVAILABILITY_RULES = {"AwsSolutions-RDS3", "AwsSolutions-RDS10", "AwsSolutions-AEC4"}


def _reports(assembly: "Assembly") -> list[dict[str, Any]]:
    report = json.loads((assembly.directory / "validation-report.json").read_text(encoding="utf-8"))
    reports: list[dict[str, Any]] = report["pluginReports"]
    return reports


def test_every_pack_ran_and_nothing_is_open(assembly: "Assembly") -> None:
    reports = _reports(assembly)
    assert {report["pluginName"] for report in reports} == ID_PREFIXES.keys()
    open_findings = [
        (finding["ruleName"], [construct["constructPath"] for construct in finding["violatingConstructs"]])
        for report in reports
        for finding in report.get("violations", [])
    ]
    assert open_findings == []


def test_every_acknowledgement_names_its_pack_and_a_reason(assembly: "Assembly") -> None:
    for report in _reports(assembly):
        assert report["suppressedViolations"]
        for finding in report["suppressedViolations"]:
            assert finding["acknowledgedId"].startswith(ID_PREFIXES[report["pluginName"]])
            assert len(finding["reason"].split()) >= 6, finding["reason"]


def test_production_acknowledges_nothing_that_costs_availability(production: "Assembly") -> None:
    acknowledged = {
        finding["ruleName"] for report in _reports(production) for finding in report["suppressedViolations"]
    }
    assert acknowledged.isdisjoint(AVAILABILITY_RULES)
