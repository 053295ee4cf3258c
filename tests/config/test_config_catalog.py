"""What an owner reads when a model catalog is wrong, where a value may be one of several kinds."""

from collections.abc import Callable

import pytest

ProblemsAfter = Callable[..., list[str]]

PLACE = "config/models/dev.yaml:7:9: models[0].deployments[0]"
DEPLOYMENT = """- name: claude-haiku-4-5-us
        provider: bedrock
        region: us-east-1
        model_id: us.anthropic.claude-haiku-4-5-20251001-v1:0
"""
CATALOG_MISTAKES = {
    "unknown kind": (
        "provider: bedrock",
        "provider: openai",
        "config/models/dev.yaml:8:19: models[0].deployments[0].provider is openai; allowed: bedrock, "
        "openai_compatible or sagemaker; fix: write openai_compatible",
    ),
    "no kind": (
        "provider: bedrock",
        "weight: 1",
        f"{PLACE}.provider is missing; allowed: bedrock, openai_compatible or sagemaker; "
        "fix: add provider: bedrock",
    ),
    "missing key of one kind": (
        DEPLOYMENT,
        "- {name: llama, provider: sagemaker, region: us-east-1}\n",
        f"{PLACE}.endpoint_name is missing; allowed: 1 to 63 letters, digits or hyphens, with a letter or "
        "digit at both ends; fix: add endpoint_name: llama-3-3-70b",
    ),
    "key of another kind": (
        "region: us-east-1",
        "region: us-east-1\n        base_url: https://api.example.com",
        "config/models/dev.yaml:10:9: models[0].deployments[0].base_url is no known key; allowed: name, "
        "tier, weight, capacity, time_limits, price, provider, region, model_id, application_profile_arn, "
        "role_arn, guardrail, chat_api; fix: remove it",
    ),
    "no mapping where kinds differ": (
        DEPLOYMENT,
        "- claude-haiku-4-5-us\n",
        f"{PLACE} is claude-haiku-4-5-us; allowed: a mapping with provider: bedrock, openai_compatible or "
        "sagemaker; fix: write it like {provider: bedrock, name: claude-haiku-4-5-us, region: us-east-1, "
        "model_id: 'us.anthropic.claude-haiku-4-5-20251001-v1:0'}",
    ),
    "the kind alone": (
        "deployments:",
        "strategy: weighted\n    deployments:",
        "config/models/dev.yaml:6:15: models[0].strategy is weighted; allowed: a mapping with kind: "
        "conditional, fallback, optimized, percentage or weighted; fix: write kind: weighted under it",
    ),
    "value that may be absent": (
        "provider: bedrock",
        "provider: bedrock\n        capacity: {requests_per_minute: 0}",
        "config/models/dev.yaml:9:41: models[0].deployments[0].capacity.requests_per_minute is 0; allowed: "
        "a whole number at least 1; fix: write 1 or more",
    ),
    "number above a limit that is excluded": (
        "deployments:",
        "strategy: {kind: percentage, shares: {claude-haiku-4-5-us: 0}}\n    deployments:",
        "config/models/dev.yaml:6:64: models[0].strategy.shares.claude-haiku-4-5-us is 0; allowed: a number "
        "above 0 and at most 100; fix: write more than 0",
    ),
    "name of a key": (
        "deployments:",
        "strategy: {kind: percentage, shares: {Claude: 100}}\n    deployments:",
        "config/models/dev.yaml:6:43: models[0].strategy.shares.Claude has a wrong name; allowed: 1 to 63 "
        "lower-case letters, digits or hyphens, beginning with a letter or digit; fix: name it like "
        "claude-haiku-4-5-us",
    ),
    "value of several types, told once": (
        "deployments:",
        "strategy: {kind: conditional, routes: [{when: [{field: stream, is_in: [null]}], deployments: [a]}]}"
        "\n    deployments:",
        "config/models/dev.yaml:6:76: models[0].strategy.routes[0].when[0].is_in[0] is null; allowed: text, "
        "or true or false, or a number; fix: write it like text",
    ),
    "empty text": (
        "deployments:",
        'deployments:\n      - {name: a, provider: openai_compatible, base_url: "https://a.b", model: ""}',
        "config/models/dev.yaml:7:73: models[0].deployments[0].model is ''; allowed: text, "
        "length from 1 to 256; fix: write it like gpt-5",
    ),
    "rule between fields": (
        "deployments:",
        "fallbacks: [nova-light]\n    deployments:",
        "config/models/dev.yaml:6:17: models[0].fallbacks[0] is nova-light; allowed: one of "
        "claude-haiku-4-5, nova-lite; fix: mend the name or add the model",
    ),
}


@pytest.mark.parametrize(("old", "new", "expected"), CATALOG_MISTAKES.values(), ids=CATALOG_MISTAKES.keys())
def test_one_mistake_in_a_catalog_is_one_line(
    problems_after: ProblemsAfter, old: str, new: str, expected: str
) -> None:
    assert problems_after("dev", (old, new), catalog=True) == [expected]
