"""What a recovery plan has done in a region by functions."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import aws_cdk as cdk
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from constructs import Construct

from gatehouse.collector import Sign
from gatehouse.findings import acknowledge
from gatehouse.python_function import FunctionNetwork
from gatehouse.recovery import steps
from gatehouse.recovery.step_function import TIME_LIMIT, StepFunction
from gatehouse.recovery.steps import Step

# RDS's own transactions, which tell that a quiet database has been copied, come every five minutes.
_REPLICA_TIME_LIMIT = cdk.Duration.minutes(10)
_COLON = cdk.ArnFormat.COLON_RESOURCE_NAME


@dataclass(frozen=True, kw_only=True)
class FunctionSettings:
    """What the functions have in common; `names` are theirs, by the name of the step."""

    names: Mapping[str, str]
    log_key: kms.IKey
    log_retention: logs.RetentionDays
    removal_policy: cdk.RemovalPolicy

    def function(
        self,
        scope: Construct,
        step: Step,
        *,
        handler: str,
        environment: Mapping[str, str],
        timeout: cdk.Duration = TIME_LIMIT,
        network: FunctionNetwork | None = None,
    ) -> StepFunction:
        """The function of a step, under the step's name."""
        return StepFunction(
            scope,
            step.name,
            step=step,
            function_name=self.names[step.name],
            handler=handler,
            environment=environment,
            log_key=self.log_key,
            log_retention=self.log_retention,
            removal_policy=self.removal_policy,
            timeout=timeout,
            network=network,
        )


class DataActions(Construct):
    """The functions for what the gateways of a region need: the database's replica, and the way to objects.

    database: the instance's name, the same in both regions; database_settings, database_logs: what it has
    there, as parameters of RDS's ModifyDBInstance, and the logs that it exports. buckets: of objects, by
    region; `access_point_arn` is the multi-region access point of both. signs_of_writing: of the gateways
    here; none where CloudWatch has no metrics of theirs.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: FunctionSettings,
        database: str,
        database_settings: Mapping[str, object],
        database_logs: Sequence[str],
        other_region: str,
        buckets: Mapping[str, str],
        access_point_arn: str,
        target_groups: Sequence[elbv2.IApplicationTargetGroup],
        minimum_gateways: int,
        signs_of_writing: Sequence[Sign],
    ) -> None:
        super().__init__(scope, construct_id)
        self._settings = settings
        self._await_replica(database, other_region)
        self._route_objects(buckets, access_point_arn)
        self._verify(database, target_groups, minimum_gateways, signs_of_writing)
        self._settle_replica(database, database_settings, database_logs)

    def _await_replica(self, database: str, other_region: str) -> None:
        function = self._settings.function(
            self,
            steps.AWAIT_REPLICA,
            handler="await_replica",
            environment={"DATABASE": database, "SOURCE_REGION": other_region},
            timeout=_REPLICA_TIME_LIMIT,
        )
        function.role.add_to_policy(
            iam.PolicyStatement(actions=["cloudwatch:GetMetricStatistics"], resources=["*"])
        )
        acknowledge(
            function.role, {"IAM5[Resource::*]": "It only reads numbers: metrics have no resource in IAM."}
        )

    def _route_objects(self, buckets: Mapping[str, str], access_point_arn: str) -> None:
        function = self._settings.function(
            self,
            steps.ROUTE_OBJECTS,
            handler="route_objects",
            environment={
                "ACCOUNT": cdk.Stack.of(self).account,
                "ACCESS_POINT": access_point_arn,
                "BUCKETS": json.dumps(buckets, sort_keys=True),
            },
        )
        function.role.add_to_policy(
            iam.PolicyStatement(
                actions=["s3:GetMultiRegionAccessPointRoutes", "s3:SubmitMultiRegionAccessPointRoutes"],
                resources=[access_point_arn],
            )
        )

    def _verify(
        self,
        database: str,
        target_groups: Sequence[elbv2.IApplicationTargetGroup],
        minimum: int,
        signs: Sequence[Sign],
    ) -> None:
        function = self._settings.function(
            self,
            steps.VERIFY,
            handler="verify",
            environment={
                "DATABASE": database,
                "TARGET_GROUPS": cdk.Stack.of(self).to_json_string(
                    [group.target_group_arn for group in target_groups]
                ),
                "MINIMUM": str(minimum),
                "SIGNS": json.dumps([asked(sign) for sign in signs]),
            },
        )
        reads = ["elasticloadbalancing:DescribeTargetHealth"]
        if signs:
            reads.append("cloudwatch:GetMetricData")
        function.role.add_to_policy(
            iam.PolicyStatement(actions=["rds:DescribeDBInstances"], resources=[self._instance_arn(database)])
        )
        function.role.add_to_policy(iam.PolicyStatement(actions=reads, resources=["*"]))
        acknowledge(
            function.role,
            {"IAM5[Resource::*]": "It only reads: targets' health and metrics take no resource in IAM."},
        )

    def _settle_replica(self, database: str, settings: Mapping[str, object], logs: Sequence[str]) -> None:
        function = self._settings.function(
            self,
            steps.SETTLE,
            handler="settle_replica",
            environment={
                "DATABASE": database,
                "SETTINGS": json.dumps(settings, sort_keys=True),
                "LOGS": json.dumps(logs),
            },
        )
        function.role.add_to_policy(
            iam.PolicyStatement(
                actions=["rds:DescribeDBInstances", "rds:ModifyDBInstance"],
                resources=[self._instance_arn(database)],
            )
        )

    def _instance_arn(self, database: str) -> str:
        return cdk.Stack.of(self).format_arn(
            service="rds", resource="db", resource_name=database, arn_format=_COLON
        )


def asked(sign: Sign) -> dict[str, object]:
    """A sign as the function asks CloudWatch for it."""
    metric = sign.metric
    dimensions = metric.dimensions or {}
    return {
        "stat": {
            "Metric": {
                "Namespace": metric.namespace,
                "MetricName": metric.metric_name,
                "Dimensions": [{"Name": name, "Value": value} for name, value in dimensions.items()],
            },
            "Period": int(metric.period.to_seconds()),
            "Stat": metric.statistic,
        },
        "wanted": sign.wanted,
        "otherwise": sign.otherwise,
    }


class EcsActions(Construct):
    """The functions that size a region's ECS service: none at all, a full region's, or a standby's."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        settings: FunctionSettings,
        cluster: str,
        service: str,
        full_minimum: int,
        standby_minimum: int,
        maximum: int,
    ) -> None:
        super().__init__(scope, construct_id)
        sizes = {
            steps.FENCE: (0, 0),
            steps.OPEN: (full_minimum, maximum),
            steps.STAND_BY: (standby_minimum, maximum),
        }
        for step, (fewest, most) in sizes.items():
            function = settings.function(
                self,
                step,
                handler="size_service",
                environment={
                    "CLUSTER": cluster,
                    "SERVICE": service,
                    "MINIMUM": str(fewest),
                    "MAXIMUM": str(most),
                },
            )
            self._let_size(function, cluster, service)

    def _let_size(self, function: StepFunction, cluster: str, service: str) -> None:
        stack = cdk.Stack.of(self)
        sized = stack.format_arn(service="ecs", resource="service", resource_name=f"{cluster}/{service}")
        function.role.add_to_policy(
            iam.PolicyStatement(actions=["ecs:DescribeServices", "ecs:UpdateService"], resources=[sized])
        )
        targets = stack.format_arn(
            service="application-autoscaling", resource="scalable-target", resource_name="*"
        )
        function.role.add_to_policy(
            iam.PolicyStatement(
                actions=["application-autoscaling:RegisterScalableTarget"],
                resources=[targets],
                conditions={
                    "StringEquals": {
                        "application-autoscaling:scalable-dimension": "ecs:service:DesiredCount",
                        "application-autoscaling:service-namespace": "ecs",
                    }
                },
            )
        )
        acknowledge(
            function.role,
            {
                f"IAM5[Resource::{stack.resolve(targets)}]": "Scalable targets have generated IDs; a "
                "condition leaves the counts of ECS services."
            },
        )
