"""The Recovery stack."""

import aws_cdk as cdk
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from gatehouse import names
from gatehouse.recovery import steps
from gatehouse.recovery.environment import EcsGateways, EksGateways, Recoverable, function_names
from gatehouse.recovery.health_checks import PlanHealthChecks
from gatehouse.recovery.plan import RecoveryPlan
from stacks.lifetimes import log_retention, removal_policy
from stacks.regional_stack import RegionalStack
from stacks.standby import StandbyEnvironment


class RecoveryStack(RegionalStack):
    """How callers and data move from one region to the other, and back: in the standby region.

    It refers to the standby's keys alone: the public name needs its health checks, and so it comes before
    what it is about.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        config: StandbyEnvironment,
        data_key: kms.IKey,
        log_key: kms.IKey,
    ) -> None:
        super().__init__(scope, construct_id, config=config)
        bucket = names.object_store(config.name, config.account, config.region)
        recovery = RecoveryPlan(
            self,
            "Recovery",
            name=names.recovery_plan(config.name),
            role_name=names.recovery_role(config.name),
            recoverable=_recoverable(config),
            recovery_time=cdk.Duration.minutes(config.standby.recovery_time_minutes),
            approval_role_arn=config.standby.approval_role_arn,
            report_bucket=s3.Bucket.from_bucket_name(self, "Reports", bucket),
            data_key=data_key,
        )
        checks = PlanHealthChecks(
            self,
            "HealthChecks",
            plan=recovery.plan,
            hosted_zone_id=config.edge.hosted_zone_id,
            record_name=config.edge.domain_name,
            log_key=log_key,
            log_retention=log_retention(config),
            removal_policy=removal_policy(config),
        )
        for region in (config.primary_region, config.region):
            cdk.CfnOutput(self, names.health_check_output(region), value=checks.of(region))
        cdk.CfnOutput(self, "PlanArn", value=recovery.plan.attr_arn)
        for mode, seconds in _expected().items():
            cdk.CfnOutput(self, f"Expected{mode}Seconds", value=str(seconds))


def _expected() -> dict[str, int]:
    """What the steps should take by AWS's own figures: the sum along their critical path."""
    return {
        "Lossless": steps.expected_recovery_seconds(),
        "Forced": steps.expected_recovery_seconds(forced=True),
        "Reads": steps.expected_reads_seconds(),
    }


def _recoverable(config: StandbyEnvironment) -> Recoverable:
    gateways: EcsGateways | EksGateways
    if config.compute.platform == "eks":
        # The models of Kubernetes' objects take a second to load: not where nothing runs on EKS.
        from gatehouse.kubernetes.workload_inputs import GATEWAY

        gateways = EksGateways(
            cluster=names.cluster(config.name),
            namespace=config.compute.namespace,
            deployment=GATEWAY,
            autoscaler=GATEWAY,
        )
    else:
        service = names.ecs_service(config.name)
        gateways = EcsGateways(cluster=service, service=service)
    return Recoverable(
        primary_region=config.primary_region,
        standby_region=config.region,
        hosted_zone_id=config.edge.hosted_zone_id,
        record_name=config.edge.domain_name,
        gateways=gateways,
        database=names.database_instance(config.name),
        functions=function_names(config.name),
        health_alarm=names.health_alarm(config.name),
    )
