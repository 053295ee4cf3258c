"""The model catalog, delivered through AppConfig."""

import json
from collections.abc import Mapping
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_appconfig as appconfig
from aws_cdk import aws_iam as iam
from constructs import Construct, IDependable

# Of the tasks, in each step of a rollout.
_STEP_PERCENT = 20


class ModelConfiguration(Construct):
    """A hosted AppConfig profile with the catalog, checked against `validator_schema` before it is deployed.

    Running tasks follow a change by themselves: over `rollout` in equal steps, after which the deployment can
    be rolled back for as long again before AppConfig calls it complete. Zero is all tasks at once.

    `source` is what the gateway's `models_source` setting wants. The first tasks must come after `deployed`:
    they do not start without a catalog.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        catalog_json: str,
        validator_schema: Mapping[str, Any],
        rollout: cdk.Duration,
    ) -> None:
        super().__init__(scope, construct_id)
        application = appconfig.Application(self, "Application", description="Gatehouse")
        environment = application.add_environment("Environment")
        strategy = appconfig.DeploymentStrategy(
            self,
            "Strategy",
            rollout_strategy=appconfig.RolloutStrategy.linear(
                growth_factor=_STEP_PERCENT if rollout.to_minutes() else 100,
                deployment_duration=rollout,
                final_bake_time=rollout,
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
