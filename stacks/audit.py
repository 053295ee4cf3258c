"""The Audit stack."""

import aws_cdk as cdk
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from gatehouse import alarms, names
from gatehouse.audit_alarms import AuditAlarms
from gatehouse.audit_trail import AuditTrail
from gatehouse.config_rules import ConfigRecorder, ConfigRules
from gatehouse.object_store import LogBucket, ObjectStore
from gatehouse.security_hub import SecurityHub, ThreatDetection
from stacks.config.model import Environment
from stacks.lifetimes import log_retention, removal_policy
from stacks.regional_stack import RegionalStack


class AuditStack(RegionalStack):
    """What is recorded of who did what in the account, and what judges and watches it."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        config: Environment,
        data_key: kms.IKey,
        log_key: kms.IKey,
    ) -> None:
        super().__init__(scope, construct_id, config=config)
        if config.audit.trail == "own" or config.audit.config_rules == "recorder":
            access_logs = LogBucket(
                self, "AccessLogs", retention=cdk.Duration.days(config.log_retention_days)
            ).bucket
        if config.audit.trail == "own":
            self._record_calls(config, data_key, log_key, access_logs)
        if config.audit.config_rules != "none":
            rules = ConfigRules(self, "ConfigRules")
        if config.audit.config_rules == "recorder":
            rules.node.add_dependency(self._recorder(data_key, access_logs))
        if config.audit.security_hub:
            SecurityHub(self, "SecurityHub", standards=config.audit.security_hub)
        if config.audit.threat_detection:
            ThreatDetection(self, "ThreatDetection")

    def _record_calls(
        self, config: Environment, data_key: kms.IKey, log_key: kms.IKey, access_logs: s3.IBucket
    ) -> None:
        trail = AuditTrail(
            self,
            "Trail",
            trail_name=names.audit_trail(config.name),
            encryption_key=data_key,
            access_logs=access_logs,
            object_lock=config.audit.object_lock,
            retention=cdk.Duration.days(config.audit.retention_days),
            insights=config.audit.insights,
            log_key=log_key,
            log_retention=log_retention(config),
            log_removal_policy=removal_policy(config),
        )
        AuditAlarms(
            self,
            "Alarms",
            log_group=trail.log_group,
            topic_arn=alarms.topic_arn(self, names.alarm_topic(config.name)),
        )

    def _recorder(self, data_key: kms.IKey, access_logs: s3.IBucket) -> ConfigRecorder:
        history = ObjectStore(
            self,
            "ConfigHistory",
            encryption_key=data_key,
            access_logs=access_logs,
            removal_policy=cdk.RemovalPolicy.RETAIN,
        )
        return ConfigRecorder(self, "ConfigRecorder", bucket=history.bucket, encryption_key=data_key)
