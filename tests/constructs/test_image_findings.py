"""Who is told of weaknesses that scans find."""

import json
from typing import Any

import pytest
from aws_cdk import aws_kms as kms
from aws_cdk.assertions import Template

from gatehouse.image_findings import ImageFindings
from tests.constructs.conftest import ACCOUNT, REGION
from tests.constructs.parts import new_stack, only

KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/imported"
NAME = "gatehouse-test/gateway"
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:alarms"


@pytest.fixture(scope="module")
def template() -> Template:
    stack = new_stack()
    key = kms.Key.from_key_arn(stack, "Key", KEY)
    ImageFindings(stack, "Findings", repository_name=NAME, topic_arn=TOPIC, topic_key=key)
    return Template.from_stack(stack)


@pytest.fixture(scope="module")
def rules(template: Template) -> dict[str, dict[str, Any]]:
    """The rules by the service whose events they match."""
    found = (rule["Properties"] for rule in template.find_resources("AWS::Events::Rule").values())
    return {rule["EventPattern"]["source"][0]: rule for rule in found}


def test_a_scan_at_a_push_counts_where_it_finds_something_critical(rules: dict[str, dict[str, Any]]) -> None:
    pattern = rules["aws.ecr"]["EventPattern"]
    assert pattern["detail-type"] == ["ECR Image Scan"]
    assert pattern["detail"]["repository-name"] == [NAME]
    assert pattern["detail"]["finding-severity-counts"] == {"CRITICAL": [{"numeric": [">", 0]}]}


def test_a_critical_finding_of_inspector_counts_while_it_is_open(rules: dict[str, dict[str, Any]]) -> None:
    pattern = rules["aws.inspector2"]["EventPattern"]
    assert pattern["detail-type"] == ["Inspector2 Finding"]
    assert pattern["detail"]["severity"] == ["CRITICAL"]
    assert pattern["detail"]["status"] == ["ACTIVE"]
    image = pattern["detail"]["resources"]["details"]["awsEcrContainerImage"]
    assert image == {"repositoryName": [NAME]}


def test_the_topic_of_the_alarms_is_told_which_image(rules: dict[str, dict[str, Any]]) -> None:
    for source, field in (("aws.ecr", "$.detail.image-digest"), ("aws.inspector2", "$.detail.title")):
        (target,) = rules[source]["Targets"]
        assert target["Arn"] == TOPIC
        assert list(target["InputTransformer"]["InputPathsMap"].values()) == [field]
        assert NAME in target["InputTransformer"]["InputTemplate"]


def test_eventbridge_may_publish_to_this_topic_alone_and_use_its_key(template: Template) -> None:
    statements = only(template, "IAM::Policy")["PolicyDocument"]["Statement"]
    permissions = {json.dumps(s["Action"]): s["Resource"] for s in statements}
    assert permissions == {'"sns:Publish"': TOPIC, '["kms:Decrypt", "kms:GenerateDataKey"]': KEY}
    (trust,) = only(template, "IAM::Role")["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "events.amazonaws.com"}
    assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": ACCOUNT}}
