"""The rule packs: nothing open, and everything acknowledged says why."""

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.stacks.conftest import Assembly

ID_PREFIXES = {
    "AwsSolutions": "AwsSolutions::AwsSolutions-",
    "CloudFormation Validate": "CloudFormation-Validate::",
    "NIST.800.53.R5": "NIST.800.53.R5::NIST.800.53.R5-",
}
# What a rule pack calls an error in an environment that has to stay up.
AVAILABILITY_RULES = {
    "AwsSolutions-AEC4",
    "AwsSolutions-RDS10",
    "AwsSolutions-RDS3",
    "NIST.800.53.R5-ELBDeletionProtectionEnabled",
    "NIST.800.53.R5-RDSInstanceBackupEnabled",
    "NIST.800.53.R5-RDSInstanceDeletionProtectionEnabled",
    "NIST.800.53.R5-RDSMultiAZSupport",
}
# What no reason can excuse anywhere.
SECURITY_RULES = {
    "NIST.800.53.R5-ALBWAFEnabled",
    "NIST.800.53.R5-CloudTrailEncryptionEnabled",
    "NIST.800.53.R5-CloudTrailLogFileValidationEnabled",
    "NIST.800.53.R5-IAMPolicyNoStatementsWithAdminAccess",
    "NIST.800.53.R5-KMSBackingKeyRotationEnabled",
    "NIST.800.53.R5-LambdaFunctionPublicAccessProhibited",
    "NIST.800.53.R5-RDSInstancePublicAccess",
    "NIST.800.53.R5-RDSStorageEncrypted",
    "NIST.800.53.R5-S3BucketLevelPublicAccessProhibited",
    "NIST.800.53.R5-S3BucketSSLRequestsOnly",
    "NIST.800.53.R5-SNSEncryptedKMS",
    "NIST.800.53.R5-SecretsManagerUsingKMSKey",
}


def _reports(assembly: "Assembly") -> list[dict[str, Any]]:
    report = json.loads((assembly.directory / "validation-report.json").read_text(encoding="utf-8"))
    reports: list[dict[str, Any]] = report["pluginReports"]
    return reports


def _acknowledged(assembly: "Assembly") -> list[dict[str, Any]]:
    return [finding for report in _reports(assembly) for finding in report["suppressedViolations"]]


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


def test_no_acknowledgement_is_for_a_whole_stack(assembly: "Assembly") -> None:
    # gatehouse-prod/Data/Database/Instance: the environment, the stack, and at least one construct within.
    whole = {finding["acknowledgedAt"] for finding in _acknowledged(assembly)}
    assert {place for place in whole if place.count("/") < 2} == set()


def test_some_rules_are_acknowledged_nowhere(assembly: "Assembly") -> None:
    excused = {
        finding["ruleName"]
        for finding in _acknowledged(assembly)
        # A replica is encrypted as its source is: CloudFormation has it say nothing of its own.
        if not finding["acknowledgedAt"].endswith("/Standby-Data/Database/Instance")
    }
    assert excused.isdisjoint(SECURITY_RULES)


def test_production_acknowledges_nothing_that_costs_availability(production: "Assembly") -> None:
    assert {finding["ruleName"] for finding in _acknowledged(production)}.isdisjoint(AVAILABILITY_RULES)
