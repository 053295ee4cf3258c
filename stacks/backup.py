"""The Backup stack."""

import aws_cdk as cdk
from aws_cdk import aws_kms as kms
from constructs import Construct

from gatehouse import alarms, names
from gatehouse.backup import DatabaseBackup
from stacks.config.model import Environment
from stacks.lifetimes import removal_policy
from stacks.regional_stack import RegionalStack


class BackupStack(RegionalStack):
    """The locked vault and what is copied into it: in each region that region's database.

    So a lost region takes no vault of the other with it, and a promoted replica has locked copies already.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, config: Environment, data_key: kms.IKey
    ) -> None:
        super().__init__(scope, construct_id, config=config)
        DatabaseBackup(
            self,
            "Database",
            instance_arn=self.format_arn(
                service="rds",
                resource="db",
                # By its computed name, so that neither stack waits for the other.
                resource_name=names.database_instance(config.name),
                arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
            ),
            encryption_key=data_key,
            daily_retention=cdk.Duration.days(config.backup.daily_days),
            monthly_retention=cdk.Duration.days(config.backup.monthly_days),
            lock=config.backup.lock,
            lock_after=cdk.Duration.days(config.backup.lock_after_days),
            topic_arn=alarms.topic_arn(self, names.alarm_topic(config.name)),
            removal_policy=removal_policy(config),
        )
