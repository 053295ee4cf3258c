"""parliament knows every action, which resources and conditions it takes, and what is dangerous."""

import json
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from stacks.config.files import environment_names
from tests.stacks.policies import policies

with warnings.catch_warnings():
    # Its code leaves files open and has escapes that Python will refuse one day.
    warnings.simplefilter("ignore")
    from parliament import analyze_policy_string  # type: ignore[import-untyped]  # it has no type information

if TYPE_CHECKING:
    from tests.stacks.conftest import Assembly

_EVERY_KIND = "parliament wants every kind of resource that the action takes; one is right"
_OF_INTERFACES = [f"ec2:{verb}" for verb in ("AssignPrivateIpAddresses", "UnassignPrivateIpAddresses")]
_OF_INTERFACES += [f"ec2:{verb}NetworkInterface" for verb in ("Create", "Delete")]
_KEY_OF_LAMBDA = "lambda:SourceFunctionArn"
# (issue, actions or detail) → why it is none.
ACCEPTED = {
    **{
        ("RESOURCE_MISMATCH", action): "parliament wants the kind's own name where any kind of EC2's is meant"
        for action in _OF_INTERFACES
    },
    **{
        ("UNKNOWN_CONDITION_FOR_ACTION", f"Unknown condition {_KEY_OF_LAMBDA} for action {action}"): (
            "Lambda tells it with every call that a function's code makes, whatever the service"
        )
        for action in (*_OF_INTERFACES, "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets")
    },
    ("RESOURCE_MISMATCH", "bedrock:InvokeModel"): _EVERY_KIND,
    ("RESOURCE_MISMATCH", "bedrock:InvokeModelWithResponseStream"): _EVERY_KIND,
    ("RESOURCE_MISMATCH", "elasticloadbalancing:ModifyRule"): _EVERY_KIND,
    ("RESOURCE_MISMATCH", "rds:CreateDBInstanceReadReplica"): _EVERY_KIND,
    ("RESOURCE_STAR", "['application-autoscaling:RegisterScalableTarget']"): (
        "Region switch tries it before it knows the target; conditions name service, dimension and regions"
    ),
    ("UNKNOWN_ACTION", "bedrock:CountTokens"): "it is newer than parliament's list",
    ("UNKNOWN_PREFIX", "Unknown prefix arc-region-switch"): "it is newer than parliament's list",
}


def _findings(document: str) -> set[tuple[str, str]]:
    """Each finding with what it is about: an action, or parliament's words."""
    return {
        (finding.issue, subject)
        for finding in analyze_policy_string(document).findings
        for subject in _subjects(finding)
    }


def _subjects(finding: Any) -> list[str]:
    if finding.issue == "RESOURCE_MISMATCH":
        return [mismatch["action"] for mismatch in finding.detail]
    if finding.issue == "UNKNOWN_ACTION":
        return [finding.location["string"]]
    return [str(finding.detail)]


def test_policies_are_what_iam_understands(assembly: "Assembly") -> None:
    found = [
        (policy.place, *finding)
        for policy in policies(assembly.templates)
        for finding in _findings(policy.document)
        if finding not in ACCEPTED
    ]
    assert found == []


def test_every_exception_is_still_needed(assemblies: "Callable[[str], Assembly]") -> None:
    found = {
        finding
        for environment in environment_names()
        for policy in policies(assemblies(environment).templates)
        for finding in _findings(policy.document)
    }
    assert ACCEPTED.keys() <= found


def test_a_misspelt_action_is_noticed() -> None:
    statement = {"Effect": "Allow", "Action": "s3:GetObjects", "Resource": "arn:aws:s3:::bucket/*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    assert _findings(document) == {("UNKNOWN_ACTION", "s3:GetObjects")}


def test_a_resource_of_another_kind_is_noticed() -> None:
    statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::bucket"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    assert _findings(document) == {("RESOURCE_MISMATCH", "s3:GetObject")}
