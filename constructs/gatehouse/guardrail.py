"""A Bedrock guardrail."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

import aws_cdk as cdk
from aws_cdk import aws_bedrock as bedrock
from constructs import Construct

Tier = Literal["CLASSIC", "STANDARD"]


@dataclass(frozen=True, kw_only=True)
class Topic:
    """A topic that models must not speak about, with prompts that are about it."""

    name: str
    definition: str
    examples: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class GuardrailRules:
    """What a guardrail blocks.

    filters: Bedrock's type of a content filter (`HATE`) → its strength (`HIGH`). profile: the guardrail
    profile by which it is evaluated in several regions, which the standard tier needs; None is the classic.
    """

    filters: Mapping[str, str]
    topics: Sequence[Topic]
    blocked_message: str
    profile: str | None


class ModelGuardrail(Construct):
    """A guardrail and the version of it that has these rules.

    A change of the rules makes another version and keeps the earlier ones: a catalog goes on naming the
    version that it knows until it is changed, too.
    """

    def __init__(self, scope: Construct, construct_id: str, *, name: str, rules: GuardrailRules) -> None:
        super().__init__(scope, construct_id)
        tier: Tier = "CLASSIC" if rules.profile is None else "STANDARD"
        guardrail = bedrock.CfnGuardrail(
            self,
            "Guardrail",
            name=name,
            description="What Gatehouse's models must not be asked and must not say",
            blocked_input_messaging=rules.blocked_message,
            blocked_outputs_messaging=rules.blocked_message,
            content_policy_config=_content_policy(rules.filters, tier),
            topic_policy_config=_topic_policy(rules.topics, tier),
            cross_region_config=self._cross_region(rules.profile),
        )
        written = json.dumps(asdict(rules), sort_keys=True)
        digest = hashlib.sha256(written.encode()).hexdigest()[:8]
        version = bedrock.CfnGuardrailVersion(
            self,
            f"Version{digest}",
            guardrail_identifier=guardrail.attr_guardrail_id,
            description=f"Rules {digest}",
        )
        version.apply_removal_policy(cdk.RemovalPolicy.RETAIN)
        self.identifier = guardrail.attr_guardrail_id
        self.version = version.attr_version

    def _cross_region(
        self, profile: str | None
    ) -> bedrock.CfnGuardrail.GuardrailCrossRegionConfigProperty | None:
        if profile is None:
            return None
        return bedrock.CfnGuardrail.GuardrailCrossRegionConfigProperty(
            guardrail_profile_arn=cdk.Stack.of(self).format_arn(
                service="bedrock", resource="guardrail-profile", resource_name=profile
            )
        )


def _content_policy(
    filters: Mapping[str, str], tier: Tier
) -> bedrock.CfnGuardrail.ContentPolicyConfigProperty | None:
    if not filters:
        return None
    return bedrock.CfnGuardrail.ContentPolicyConfigProperty(
        filters_config=[
            bedrock.CfnGuardrail.ContentFilterConfigProperty(
                type=kind,
                input_strength=strength,
                # There are no attacks in answers, and Bedrock refuses to look for any.
                output_strength="NONE" if kind == "PROMPT_ATTACK" else strength,
            )
            for kind, strength in sorted(filters.items())
        ],
        content_filters_tier_config=bedrock.CfnGuardrail.ContentFiltersTierConfigProperty(tier_name=tier),
    )


def _topic_policy(
    topics: Sequence[Topic], tier: Tier
) -> bedrock.CfnGuardrail.TopicPolicyConfigProperty | None:
    if not topics:
        return None
    return bedrock.CfnGuardrail.TopicPolicyConfigProperty(
        topics_config=[
            bedrock.CfnGuardrail.TopicConfigProperty(
                name=topic.name, definition=topic.definition, examples=list(topic.examples), type="DENY"
            )
            for topic in topics
        ],
        topics_tier_config=bedrock.CfnGuardrail.TopicsTierConfigProperty(tier_name=tier),
    )
