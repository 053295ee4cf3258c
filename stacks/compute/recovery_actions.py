"""What the recovery plan has done in a region by functions, on either platform."""

import aws_cdk as cdk

from gatehouse import names
from gatehouse.collector import signs_of_writing
from gatehouse.database_instance import EXPORTED_LOGS
from gatehouse.other_region_outputs import OtherRegionOutputs
from gatehouse.recovery.actions import DataActions, EcsActions, FunctionSettings
from gatehouse.recovery.environment import function_names
from stacks.compute.gateway import Gateway
from stacks.lifetimes import log_retention, removal_policy
from stacks.replicated_data import ReplicatedDataStack
from stacks.standby import StandbyEnvironment

ACCESS_POINT = "ObjectAccessPointArn"


def function_settings(gateway: Gateway) -> FunctionSettings:
    """What the functions have in common."""
    return FunctionSettings(
        names=function_names(gateway.config.name),
        log_key=gateway.log_key,
        log_retention=log_retention(gateway.config),
        removal_policy=removal_policy(gateway.config),
    )


def add_data_actions(stack: cdk.Stack, gateway: Gateway) -> None:
    """The steps that are the same wherever gateways run."""
    config = gateway.config
    regions = [config.primary_region, str(config.standby_region)]
    (other_region,) = (region for region in regions if region != config.region)
    DataActions(
        stack,
        "DataActions",
        settings=function_settings(gateway),
        database=names.database_instance(config.name),
        database_settings={
            "BackupRetentionPeriod": config.database.backup_days,
            "CopyTagsToSnapshot": True,
            "DeletionProtection": config.database.deletion_protection,
            "EnableIAMDatabaseAuthentication": True,
            "MaxAllocatedStorage": config.database.storage_limit_gib,
            "MultiAZ": config.database.multi_az,
        },
        database_logs=EXPORTED_LOGS,
        other_region=other_region,
        buckets={region: names.object_store(config.name, config.account, region) for region in regions},
        access_point_arn=_access_point_arn(stack, gateway),
        target_groups=gateway.targets.groups,
        minimum_gateways=full_minimum(gateway),
        signs_of_writing=signs_of_writing(config.name) if gateway.has_metrics else [],
    )


def add_ecs_actions(stack: cdk.Stack, gateway: Gateway) -> None:
    """The steps that size an ECS service."""
    service = names.ecs_service(gateway.config.name)
    EcsActions(
        stack,
        "EcsActions",
        settings=function_settings(gateway),
        cluster=service,
        service=service,
        full_minimum=full_minimum(gateway),
        standby_minimum=gateway.config.standby.minimum_tasks,
        maximum=gateway.config.service.maximum_tasks,
    )


def full_minimum(gateway: Gateway) -> int:
    """The fewest gateways of the region that serves, whichever of the two it is."""
    config = gateway.config
    whole = config.primary if isinstance(config, StandbyEnvironment) else config
    return whole.service.minimum_tasks


def _access_point_arn(stack: cdk.Stack, gateway: Gateway) -> str:
    """It leads to both regions' buckets and is made beside the second one, in the standby region."""
    if isinstance(gateway.data, ReplicatedDataStack):
        return gateway.data.access_point.arn
    config = gateway.config
    standby = OtherRegionOutputs(
        stack,
        "StandbyData",
        stack_name=names.stack(config.name, names.standby_stack("Data")),
        region=str(config.standby_region),
        outputs=[ACCESS_POINT],
        log_key=gateway.log_key,
        log_retention=log_retention(config),
        removal_policy=removal_policy(config),
    )
    return standby.value(ACCESS_POINT)
