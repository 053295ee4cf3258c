"""Copies of the database that nobody can delete early."""

from typing import Literal

import aws_cdk as cdk
from aws_cdk import aws_backup as backup
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from gatehouse.alarms import notify
from gatehouse.findings import acknowledge

# In UTC, hours after RDS's own backup and its maintenance, during which it refuses other snapshots.
HOUR = "8"
START_WINDOW = cdk.Duration.hours(1)
COMPLETION_WINDOW = cdk.Duration.hours(8)


class DatabaseBackup(Construct):
    """A vault, and a plan that copies the RDS instance `instance_arn` into it every day and every month.

    The copies are snapshots. The restore to any point in time stays RDS's own: AWS Backup would take the
    retention and the window of the instance's backups over, and CloudFormation could not update it any more.

    lock: `compliance` makes the vault immutable after `lock_after`, for ever and for everybody; one with the
    lock `governance` can be unlocked by who may do that. Alarms tell `topic_arn` of copies that fail or do
    not come.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        instance_arn: str,
        encryption_key: kms.IKey,
        daily_retention: cdk.Duration,
        monthly_retention: cdk.Duration,
        lock: Literal["compliance", "governance", "none"],
        lock_after: cdk.Duration,
        topic_arn: str,
        removal_policy: cdk.RemovalPolicy,
    ) -> None:
        super().__init__(scope, construct_id)
        self.vault = backup.BackupVault(
            self,
            "Vault",
            encryption_key=encryption_key,
            # Also without a lock: whoever means to delete a copy must change the vault's policy first.
            block_recovery_point_deletion=True,
            lock_configuration=None
            if lock == "none"
            else backup.LockConfiguration(
                min_retention=daily_retention,
                max_retention=monthly_retention,
                changeable_for=lock_after if lock == "compliance" else None,
            ),
            removal_policy=removal_policy,
        )
        plan = backup.BackupPlan(
            self,
            "Plan",
            # As it is listed in AWS Backup, beside those of other environments.
            backup_plan_name=cdk.Stack.of(self).stack_name,
            backup_plan_rules=[
                self._rule("daily", events.Schedule.cron(hour=HOUR, minute="0"), daily_retention),
                self._rule(
                    "monthly", events.Schedule.cron(hour=HOUR, minute="0", day="1"), monthly_retention
                ),
            ],
        )
        plan.add_selection(
            "Database",
            resources=[backup.BackupResource.from_arn(instance_arn)],
            role=self._role(instance_arn, encryption_key),
            # The managed policy that it stands for may copy everything in the account.
            disable_default_backup_policy=True,
        )
        self._create_alarms(topic_arn)

    def _rule(self, name: str, schedule: events.Schedule, retention: cdk.Duration) -> backup.BackupPlanRule:
        return backup.BackupPlanRule(
            rule_name=name,
            backup_vault=self.vault,
            schedule_expression=schedule,
            schedule_expression_timezone=cdk.TimeZone.ETC_UTC,
            start_window=START_WINDOW,
            completion_window=COMPLETION_WINDOW,
            delete_after=retention,
        )

    def _role(self, instance_arn: str, key: kms.IKey) -> iam.Role:
        stack = cdk.Stack.of(self)
        role = iam.Role(
            self,
            "Role",
            description="AWS Backup copies the gateway's database",
            assumed_by=iam.ServicePrincipal(
                "backup.amazonaws.com",
                conditions={"StringEquals": {"aws:SourceAccount": stack.account}},
            ),
        )
        for statement in self._permissions(instance_arn, key):
            role.add_to_policy(statement)
        snapshot = f"arn:aws:rds:{stack.region}:{stack.account}:snapshot:"
        acknowledge(
            role,
            {
                f"IAM5[Resource::{snapshot}awsbackup:*]": "AWS Backup names its snapshots by jobs' IDs, "
                "after this prefix.",
                f"IAM5[Resource::{snapshot}*]": "It lists snapshots, to find its own among them.",
                "IAM5[Resource::*]": "It reads tags by a call that cannot be limited to resources.",
            },
        )
        return role

    def _permissions(self, instance_arn: str, key: kms.IKey) -> list[iam.PolicyStatement]:
        """What AWS's managed policy for backups allows for an RDS instance, with this instance alone."""
        own, every = self._snapshots("awsbackup:*"), self._snapshots("*")
        return [
            iam.PolicyStatement(
                actions=["rds:CreateDBSnapshot", "rds:AddTagsToResource", "rds:ListTagsForResource"],
                resources=[instance_arn, own],
            ),
            iam.PolicyStatement(
                actions=["rds:DeleteDBSnapshot", "rds:ModifyDBSnapshotAttribute"], resources=[own]
            ),
            iam.PolicyStatement(
                actions=["rds:DescribeDBInstances", "rds:DescribeDBSnapshots"],
                resources=[instance_arn, every],
            ),
            iam.PolicyStatement(
                actions=["backup:DescribeBackupVault", "backup:CopyIntoBackupVault"],
                resources=[self.vault.backup_vault_arn],
            ),
            iam.PolicyStatement(actions=["kms:DescribeKey"], resources=[key.key_arn]),
            iam.PolicyStatement(
                actions=["kms:CreateGrant"],
                resources=[key.key_arn],
                conditions={"Bool": {"kms:GrantIsForAWSResource": "true"}},
            ),
            # It knows no resources; AWS Backup asks it for the tags of what it copies.
            iam.PolicyStatement(actions=["tag:GetResources"], resources=["*"]),
        ]

    def _snapshots(self, name: str) -> str:
        return cdk.Stack.of(self).format_arn(
            service="rds",
            resource="snapshot",
            resource_name=name,
            arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
        )

    def _create_alarms(self, topic_arn: str) -> None:
        def jobs(metric: str) -> cloudwatch.Metric:
            return cloudwatch.Metric(
                namespace="AWS/Backup",
                metric_name=metric,
                dimensions_map={"BackupVaultName": self.vault.backup_vault_name},
                statistic="Sum",
                period=cdk.Duration.days(1),
            )

        comparison = cloudwatch.ComparisonOperator
        failed = cloudwatch.Alarm(
            self,
            "Failed",
            alarm_description="A copy of the database failed. Its job in AWS Backup says why; start it anew "
            "there. Until then, RDS's own backups are the only ones of that day.",
            metric=jobs("NumberOfBackupJobsFailed"),
            threshold=0,
            comparison_operator=comparison.GREATER_THAN_THRESHOLD,
            evaluation_periods=1,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        missing = cloudwatch.Alarm(
            self,
            "Missing",
            alarm_description="No copy of the database was completed for two days. Look whether the plan and "
            "its role in AWS Backup are as deployed. A new environment has its first copy after 08:00 UTC.",
            metric=jobs("NumberOfBackupJobsCompleted"),
            threshold=1,
            comparison_operator=comparison.LESS_THAN_THRESHOLD,
            evaluation_periods=2,
            treat_missing_data=cloudwatch.TreatMissingData.BREACHING,
        )
        for alarm in (failed, missing):
            notify(alarm, topic_arn)
