"""Application inference profiles, by which a bill tells projects apart."""

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence

import aws_cdk as cdk
from aws_cdk import aws_bedrock as bedrock
from constructs import Construct

from gateway.catalog import BedrockDeployment

# The tag's key for cost allocation; `project` is the platform's own and the same on everything.
TAG = "gatehouse:project"
_LONGEST_NAME = 64
_DIGEST = 8


class ProjectProfiles(Construct):
    """An application inference profile for each project and each model or cross-region profile of a region.

    arns: (project, model ID) → the profile's ARN, which Bedrock generates: a deployment of the project names
    it as its `application_profile_arn`.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        environment: str,
        projects: Sequence[str],
        deployments: Iterable[BedrockDeployment],
    ) -> None:
        super().__init__(scope, construct_id)
        models = {deployment.model_id: deployment for deployment in deployments}
        profiles = {
            (project, model_id): self._profile(environment, project, deployment)
            for project in projects
            for model_id, deployment in sorted(models.items())
        }
        self.arns: Mapping[tuple[str, str], str] = {
            key: profile.attr_inference_profile_arn for key, profile in profiles.items()
        }

    def _profile(
        self, environment: str, project: str, deployment: BedrockDeployment
    ) -> bedrock.CfnApplicationInferenceProfile:
        profile = bedrock.CfnApplicationInferenceProfile(
            self,
            f"{project}:{deployment.model_id}",
            inference_profile_name=_name(f"{environment} {project} {deployment.model_id}"),
            description=f"{deployment.model_id} for the project {project}",
            model_source=bedrock.CfnApplicationInferenceProfile.InferenceProfileModelSourceProperty(
                copy_from=_source_arn(cdk.Stack.of(self), deployment)
            ),
        )
        cdk.Tags.of(profile).add(TAG, project)
        return profile


def _source_arn(stack: cdk.Stack, deployment: BedrockDeployment) -> str:
    if deployment.is_inference_profile:
        return stack.format_arn(
            service="bedrock", resource="inference-profile", resource_name=deployment.model_id
        )
    return stack.format_arn(
        service="bedrock", account="", resource="foundation-model", resource_name=deployment.model_id
    )


def _name(text: str) -> str:
    """A name that Bedrock takes: words of letters and digits, with a digest in place of what is too long."""
    name = re.sub(r"[^0-9a-zA-Z]+", "-", text).strip("-")
    if len(name) <= _LONGEST_NAME:
        return name
    digest = hashlib.sha256(text.encode()).hexdigest()[:_DIGEST]
    return f"{name[: _LONGEST_NAME - _DIGEST - 1].rstrip('-')}-{digest}"
