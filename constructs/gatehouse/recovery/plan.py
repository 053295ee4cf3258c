"""The plan that moves an environment from one region to the other, and back."""

import aws_cdk as cdk
from aws_cdk import aws_arcregionswitch as arc
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from gatehouse.recovery.blocks import Blocks
from gatehouse.recovery.environment import Recoverable
from gatehouse.recovery.execution_role import REPORT_PREFIX, ExecutionRole


class RecoveryPlan(Construct):
    """A plan of ARC Region switch for an active and a passive region, and the role that it acts as.

    It can activate either region, and makes a standby of the other one afterwards. Somebody has to start it:
    it has no trigger, because a promoted database cannot become a replica again. With `approval_role_arn`
    somebody with that role has to approve, too. Reports go to `report_bucket`, which `data_key` encrypts.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        role_name: str,
        recoverable: Recoverable,
        recovery_time: cdk.Duration,
        approval_role_arn: str | None,
        report_bucket: s3.IBucket,
        data_key: kms.IKey,
    ) -> None:
        super().__init__(scope, construct_id)
        self.role = ExecutionRole(
            self,
            "Role",
            role_name=role_name,
            plan_name=name,
            recoverable=recoverable,
            report_bucket=report_bucket,
            data_key=data_key,
        ).role
        blocks = Blocks(self, recoverable, approval_role_arn)
        of = arc.CfnPlan
        self.plan = of(
            self,
            "Plan",
            name=name,
            description="Moves callers and data to the other region; a person starts it.",
            recovery_approach="activePassive",
            regions=list(recoverable.regions),
            primary_region=recoverable.primary_region,
            recovery_time_objective_minutes=recovery_time.to_minutes(),
            execution_role=self.role.role_arn,
            workflows=[
                *(
                    of.WorkflowProperty(
                        workflow_target_action="activate",
                        workflow_target_region=region,
                        workflow_description=f"Serve callers from {region}",
                        steps=blocks.activate(),
                    )
                    for region in recoverable.regions
                ),
                of.WorkflowProperty(
                    workflow_target_action="postRecovery",
                    workflow_description="Make a standby of the region that was left",
                    steps=blocks.protect(),
                ),
            ],
            associated_alarms={
                region: of.AssociatedAlarmProperty(alarm_type="applicationHealth", resource_identifier=arn)
                for region, arn in zip(recoverable.regions, recoverable.alarm_arns(self), strict=True)
            },
            report_configuration=_reports(self, report_bucket),
        )
        # With its policies: the service evaluates the plan as soon as there is one.
        self.plan.node.add_dependency(self.role)


def _reports(scope: Construct, bucket: s3.IBucket) -> arc.CfnPlan.ReportConfigurationProperty:
    s3_configuration = arc.CfnPlan.S3ReportOutputConfigurationProperty(
        bucket_path=f"{bucket.bucket_name}/{REPORT_PREFIX}", bucket_owner=cdk.Stack.of(scope).account
    )
    output = arc.CfnPlan.ReportOutputConfigurationProperty(s3_configuration=s3_configuration)
    return arc.CfnPlan.ReportConfigurationProperty(report_output=[output])
