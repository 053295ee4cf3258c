"""A guardrail's rules, and the version that a catalog can rely on."""

from dataclasses import replace
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk.assertions import Template

from gatehouse.guardrail import GuardrailRules, ModelGuardrail, Topic
from tests.constructs.conftest import Properties

TOPIC = Topic(name="Investing", definition="Advice on what to invest in.", examples=("Which stock?",))
RULES = GuardrailRules(
    filters={"HATE": "HIGH", "PROMPT_ATTACK": "MEDIUM"},
    topics=[TOPIC],
    blocked_message="No.",
    profile=None,
)


def _guardrail(stack: cdk.Stack, properties: Properties, rules: GuardrailRules) -> dict[str, Any]:
    ModelGuardrail(stack, "Guardrail", name="gatehouse-dev", rules=rules)
    (guardrail,) = properties("AWS::Bedrock::Guardrail")
    return guardrail


def test_filters_hold_for_prompts_and_answers_and_attacks_for_prompts_alone(
    stack: cdk.Stack, properties: Properties
) -> None:
    policy = _guardrail(stack, properties, RULES)["ContentPolicyConfig"]
    assert policy["FiltersConfig"] == [
        {"Type": "HATE", "InputStrength": "HIGH", "OutputStrength": "HIGH"},
        {"Type": "PROMPT_ATTACK", "InputStrength": "MEDIUM", "OutputStrength": "NONE"},
    ]


def test_topics_are_denied(stack: cdk.Stack, properties: Properties) -> None:
    (topic,) = _guardrail(stack, properties, RULES)["TopicPolicyConfig"]["TopicsConfig"]
    assert topic == {
        "Name": "Investing",
        "Definition": "Advice on what to invest in.",
        "Examples": ["Which stock?"],
        "Type": "DENY",
    }


def test_what_is_blocked_is_answered_with_the_message(stack: cdk.Stack, properties: Properties) -> None:
    guardrail = _guardrail(stack, properties, RULES)
    assert (guardrail["BlockedInputMessaging"], guardrail["BlockedOutputsMessaging"]) == ("No.", "No.")


def test_the_classic_tier_stays_in_its_region(stack: cdk.Stack, properties: Properties) -> None:
    guardrail = _guardrail(stack, properties, RULES)
    assert guardrail["ContentPolicyConfig"]["ContentFiltersTierConfig"] == {"TierName": "CLASSIC"}
    assert guardrail["TopicPolicyConfig"]["TopicsTierConfig"] == {"TierName": "CLASSIC"}
    assert "CrossRegionConfig" not in guardrail


def test_the_standard_tier_has_the_profile_of_its_region(stack: cdk.Stack, properties: Properties) -> None:
    guardrail = _guardrail(stack, properties, replace(RULES, profile="eu.guardrail.v1:0"))
    assert guardrail["ContentPolicyConfig"]["ContentFiltersTierConfig"] == {"TierName": "STANDARD"}
    assert guardrail["TopicPolicyConfig"]["TopicsTierConfig"] == {"TierName": "STANDARD"}
    arn = "arn:aws:bedrock:eu-central-1:111111111111:guardrail-profile/eu.guardrail.v1:0"
    assert guardrail["CrossRegionConfig"] == {"GuardrailProfileArn": arn}


def test_what_is_not_asked_for_is_not_there(stack: cdk.Stack, properties: Properties) -> None:
    assert "ContentPolicyConfig" not in _guardrail(stack, properties, replace(RULES, filters={}))


@pytest.mark.parametrize(
    "change", [{"blocked_message": "Never."}, {"filters": {"HATE": "LOW"}}, {"topics": []}]
)
def test_other_rules_are_another_version_and_the_earlier_one_stays(
    stack: cdk.Stack, change: dict[str, Any]
) -> None:
    for name, rules in (("Old", RULES), ("Same", RULES), ("New", replace(RULES, **change))):
        ModelGuardrail(stack, name, name="gatehouse-dev", rules=rules)
    versions = Template.from_stack(stack).find_resources("AWS::Bedrock::GuardrailVersion")
    assert {version["DeletionPolicy"] for version in versions.values()} == {"Retain"}
    old, same, new = (
        next(v["Properties"]["Description"] for key, v in versions.items() if key.startswith(name))
        for name in ("Old", "Same", "New")
    )
    assert old == same != new
    # The logical ID changes with the rules: CloudFormation makes another version in place of none.
    suffixes = {key.partition("Version")[2] for key in versions}
    assert len({suffix[:8] for suffix in suffixes}) == 2
