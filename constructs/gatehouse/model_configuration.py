"""The model catalog, delivered through AppConfig."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_appconfig as appconfig
from aws_cdk import aws_iam as iam
from constructs import Construct, IDependable

_AT_ONCE = cdk.Duration.minutes(0)


class ModelConfiguration(Construct):
    """A hosted AppConfig profile with the catalog, checked against `validator_schema` before it is deployed.

    `source` is what the gateway's `models_source` setting wants. The gateway reads the catalog when it
    starts: tasks must come after `deployed`, and be replaced when `digest` changes.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        catalog_json: str,
        validator_schema: Mapping[str, Any],
    ) -> None:
        super().__init__(scope, construct_id)
        application = appconfig.Application(self, "Application", description="Gatehouse")
        environment = application.add_environment("Environment")
        strategy = appconfig.DeploymentStrategy(
            self,
            "Strategy",
            # At once: running tasks do not read it, and the service replaces them gradually.
            rollout_strategy=appconfig.RolloutStrategy.linear(
                growth_factor=100, deployment_duration=_AT_ONCE, final_bake_time=_AT_ONCE
            ),
        )
        profile = appconfig.HostedConfiguration(
            self,
            "Models",
            application=application,
            content=appconfig.ConfigurationContent.from_inline_json(catalog_json),
            validators=[appconfig.JsonSchemaValidator.from_inline(json.dumps(validator_schema))],
            deployment_strategy=strategy,
            deploy_to=[environment],
        )
        version = profile.node.default_child
        if isinstance(version, cdk.CfnResource):
            # The CDK retains versions, and a profile that has some cannot be deleted.
            version.apply_removal_policy(cdk.RemovalPolicy.DESTROY)
        self.deployed: IDependable = profile
        self.digest = hashlib.sha256(catalog_json.encode()).hexdigest()[:16]
        path = (application.application_id, environment.environment_id, profile.configuration_profile_id)
        self.source = "appconfig://" + "/".join(path)
        self._configuration_arn = cdk.Stack.of(self).format_arn(
            service="appconfig",
            resource="application",
            resource_name="{}/environment/{}/configuration/{}".format(*path),
        )

    def grant_read(self, grantee: iam.IGrantable) -> iam.Grant:
        """Let `grantee` fetch this configuration and watch it."""
        return iam.Grant.add_to_principal(
            grantee=grantee,
            actions=["appconfig:StartConfigurationSession", "appconfig:GetLatestConfiguration"],
            resource_arns=[self._configuration_arn],
        )
