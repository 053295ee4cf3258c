"""The ModelAccess stacks: one for each account and region that serves models."""

from collections.abc import Sequence

import aws_cdk as cdk
from constructs import Construct

from gatehouse import names
from gatehouse.alarm_topic import AlarmTopic
from gatehouse.alarms import topic_arn
from gatehouse.guardrail import GuardrailRules, ModelGuardrail, Topic
from gatehouse.inference_profiles import ProjectProfiles
from gatehouse.invocation_logging import InvocationLogging
from gatehouse.keys import ModelAccountKey
from gatehouse.model_role import ModelRole
from gatehouse.throttle_alarms import ThrottleAlarms
from gateway.catalog import BedrockDeployment, Catalog
from stacks.config import model_access
from stacks.config.model import Environment
from stacks.config.model_places import (
    AwsDeployment,
    ModelPlace,
    aws_deployments,
    called_as,
    external_id,
    model_places,
)
from stacks.lifetimes import log_retention, removal_policy


class ModelAccessStack(cdk.Stack):
    """What one account and region need so that the gateway may call models there and their owners see it.

    It refers to no other stack: whoever owns the account deploys it alone.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        config: Environment,
        place: ModelPlace,
        deployments: list[AwsDeployment],
    ) -> None:
        super().__init__(
            scope,
            construct_id,
            env=cdk.Environment(account=place.account, region=place.region),
            description=f"Models for Gatehouse's environment {config.name}",
            termination_protection=config.termination_protection,
        )
        for role_arn in place.roles:
            self._role(config, role_arn, called_as(role_arn, deployments))
        bedrock = [d for d in place.deployments if isinstance(d, BedrockDeployment)]
        if bedrock:
            self._observation(config, bedrock)
            self._profiles(config, bedrock)
            if config.model_access.guardrail is not None:
                self._guardrail(config, config.model_access.guardrail)

    def _role(self, config: Environment, role_arn: str, deployments: list[AwsDeployment]) -> None:
        gateways = [
            cdk.Arn.format(
                cdk.ArnComponents(
                    partition=self.partition,
                    service="iam",
                    region="",
                    account=config.account,
                    resource="role",
                    resource_name=names.task_role(config.name, region),
                )
            )
            for region in config.regions
        ]
        role_name = role_arn.rpartition("/")[2]
        ModelRole(
            self,
            f"Role-{role_name}",
            role_arn=role_arn,
            deployments=deployments,
            bedrock_authentication=config.service.bedrock_authentication,
            trusted_role_arns=[*gateways, *config.model_access.checked_by],
            external_id=external_id(config),
            session_tags={"project": "gatehouse", "environment": config.name},
        )

    def _observation(self, config: Environment, deployments: list[BedrockDeployment]) -> None:
        key = ModelAccountKey(self, "Key", removal_policy=removal_policy(config)).key
        topic_name = names.alarm_topic(config.name)
        if self.account != config.account or self.region not in config.regions:
            AlarmTopic(self, "Alarms", topic_name=topic_name, key=key, emails=config.alarms.emails)
        ThrottleAlarms(self, "Throttles", deployments=deployments, topic_arn=topic_arn(self, topic_name))
        logged = config.model_access.invocation_logs
        if logged != "none" and self.account not in config.model_access.logged_elsewhere:
            InvocationLogging(
                self,
                "Invocations",
                content=logged == "content",
                key=key,
                log_retention=log_retention(config),
                removal_policy=removal_policy(config),
            )

    def _profiles(self, config: Environment, deployments: list[BedrockDeployment]) -> None:
        profiles = ProjectProfiles(
            self,
            "Profiles",
            environment=config.name,
            projects=config.model_access.projects,
            deployments=deployments,
        )
        for (project, model_id), arn in profiles.arns.items():
            # Of the construct, not of the stack: a stack's outputs of "a-b" and "ab" would have one name.
            cdk.CfnOutput(
                profiles, f"Arn-{project}-{model_id}", value=arn, description=f"{model_id} for {project}"
            )

    def _guardrail(self, config: Environment, settings: model_access.Guardrail) -> None:
        filters = settings.content_filters.model_dump()
        scope = model_access.guardrail_scope(self.region) if settings.tier == "standard" else None
        guardrail = ModelGuardrail(
            self,
            "Guardrail",
            name=names.guardrail(config.name),
            rules=GuardrailRules(
                filters={
                    kind.upper(): strength.upper() for kind, strength in filters.items() if strength != "none"
                },
                topics=[Topic(**topic.model_dump()) for topic in settings.denied_topics],
                blocked_message=settings.blocked_message,
                profile=f"{scope}.guardrail.v1:0" if scope else None,
            ),
        )
        cdk.CfnOutput(self, "GuardrailId", value=guardrail.identifier)
        cdk.CfnOutput(self, "GuardrailVersion", value=guardrail.version)


def add_model_access(stage: Construct, *, config: Environment, catalogs: Sequence[Catalog]) -> None:
    """Add a stack for each account and region of the deployments of the catalogs: one for each region's."""
    for place in model_places(config, *catalogs):
        ModelAccessStack(
            stage,
            names.model_access_stack(place.account, place.region),
            config=config,
            place=place,
            deployments=aws_deployments(*catalogs),
        )
