"""The model catalog, delivered through AppConfig."""

import json
from collections.abc import Mapping
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_appconfig as appconfig
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_iam as iam
from constructs import Construct

# Of the tasks, in each step of a rollout.
_STEP_PERCENT = 20


class ModelConfiguration(Construct):
    """A hosted AppConfig profile with the catalog, checked against `validator_schema` before it is deployed.

    Running tasks follow a change by themselves: over `rollout` in equal steps, and then AppConfig waits for
    as long again before it calls the deployment complete. If `alarm` goes off until then, it takes the
    change back. Zero is all tasks at once.

    `source` is what the gateway's `models_source` setting wants. The first tasks must come after `deployed`:
    they do not start without a catalog. And `deployed` should come minutes after `alarm`, which has no data
    at first: AppConfig takes that for a reason to take a change back, too.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        catalog_json: str,
        validator_schema: Mapping[str, Any],
        rollout: cdk.Duration,
        alarm: cloudwatch.IAlarm,
    ) -> None:
        super().__init__(scope, construct_id)
        application = appconfig.Application(self, "Application", description="Gatehouse")
        watching = iam.Role(self, "Watching", assumed_by=iam.ServicePrincipal("appconfig.amazonaws.com"))
        # Narrower than what the CDK would create, and enough: the alarm is no composite one.
        may_watch = watching.add_to_principal_policy(
            iam.PolicyStatement(actions=["cloudwatch:DescribeAlarms"], resources=[alarm.alarm_arn])
        )
        environment = application.add_environment(
            "Environment", monitors=[appconfig.Monitor.from_cloud_watch_alarm(alarm, watching)]
        )
        if may_watch.policy_dependable is not None:
            environment.node.add_dependency(may_watch.policy_dependable)
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
        self.deployed: Construct = profile
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
