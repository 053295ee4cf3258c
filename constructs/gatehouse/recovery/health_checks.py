"""The health checks by which a recovery plan moves callers."""

import aws_cdk as cdk
from aws_cdk import aws_arcregionswitch as arc
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from constructs import Construct

from gatehouse.custom_resource_function import CustomResourceFunction
from gatehouse.functions.plan_health_checks.attributes import attribute

# Region switch makes them some minutes after the plan.
TIME_LIMIT = cdk.Duration.minutes(15)


class PlanHealthChecks(Construct):
    """The IDs of the health checks that Region switch has made for a plan's record, by region.

    A plan's attributes list IDs and regions without saying which belongs to which. So they are asked for, in
    this stack's own region, once the plan is there.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        plan: arc.CfnPlan,
        hosted_zone_id: str,
        record_name: str,
        log_key: kms.IKey,
        log_retention: logs.RetentionDays,
        removal_policy: cdk.RemovalPolicy,
    ) -> None:
        super().__init__(scope, construct_id)
        function = CustomResourceFunction(
            self,
            "Function",
            handler="plan_health_checks",
            description="Finds the health checks of a recovery plan for CloudFormation",
            timeout=TIME_LIMIT,
            log_key=log_key,
            log_retention=log_retention,
            removal_policy=removal_policy,
        )
        function.role.add_to_policy(
            iam.PolicyStatement(
                actions=["arc-region-switch:ListRoute53HealthChecksInRegion"], resources=[plan.attr_arn]
            )
        )
        self._regions = frozenset(plan.regions)
        self._resource = function.resource(
            self,
            "HealthChecks",
            resource_type="Custom::PlanHealthChecks",
            properties={
                "Plan": plan.attr_arn,
                "HostedZoneId": hosted_zone_id,
                "RecordName": record_name,
                "Regions": plan.regions,
            },
        )

    def of(self, region: str) -> str:
        """The ID of a region's. Raises KeyError for a region that is not the plan's."""
        if region not in self._regions:
            raise KeyError(f"{region} is not among {', '.join(sorted(self._regions))}")
        return self._resource.get_att_string(attribute(region))
