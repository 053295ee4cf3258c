"""The steps of a recovery as execution blocks of ARC Region switch."""

from collections.abc import Sequence
from typing import Literal

from aws_cdk import aws_arcregionswitch as arc
from constructs import Construct

from gatehouse.recovery import steps
from gatehouse.recovery.environment import EcsGateways, EksGateways, Recoverable
from gatehouse.recovery.steps import Part, Step, Together

# After which a function that failed is called again.
RETRY_MINUTES = 1
# A forced failover goes on with so many of the gateways: callers wait, and the rest follows.
FORCED_CAPACITY_PERCENT = 50
RegionToRun = Literal["activatingRegion", "deactivatingRegion", "inactiveRegion"]

_of = arc.CfnPlan
_Configuration = arc.CfnPlan.ExecutionBlockConfigurationProperty
_Block = tuple[str, _Configuration]


class Blocks:
    """Makes blocks for an environment; resources are named by their ARNs, which need not exist yet."""

    def __init__(self, scope: Construct, recoverable: Recoverable, approval_role_arn: str | None) -> None:
        self._scope = scope
        self._environment = recoverable
        self._approval_role_arn = approval_role_arn

    def activate(self) -> list[arc.CfnPlan.StepProperty]:
        """The workflow that moves everything into a region; the approval only if there is a role for it."""
        parts = [part for part in steps.ACTIVATE if part != steps.APPROVE or self._approval_role_arn]
        return self._steps(parts, old_region="deactivatingRegion", new_region="activatingRegion")

    def protect(self) -> list[arc.CfnPlan.StepProperty]:
        """The workflow that makes a standby of the region that was left."""
        return self._steps(steps.PROTECT, old_region="inactiveRegion", new_region="inactiveRegion")

    def _steps(
        self, parts: Sequence[Part], *, old_region: RegionToRun, new_region: RegionToRun
    ) -> list[arc.CfnPlan.StepProperty]:
        made = []
        for part in parts:
            if isinstance(part, Together):
                inner = self._steps(part.steps, old_region=old_region, new_region=new_region)
                parallel = _of.ParallelExecutionBlockConfigurationProperty(steps=inner)
                kind, configuration = "Parallel", _Configuration(parallel_config=parallel)
                described = "; ".join(step.does for step in part.steps)
            else:
                kind, configuration = self._block(part, old_region, new_region)
                described = part.does
            made.append(
                _of.StepProperty(
                    name=part.name,
                    description=described,
                    execution_block_type=kind,
                    execution_block_configuration=configuration,
                )
            )
        return made

    def _block(self, step: Step, old_region: RegionToRun, new_region: RegionToRun) -> _Block:
        if step == steps.APPROVE and self._approval_role_arn is not None:
            approval = _of.ExecutionApprovalConfigurationProperty(
                approval_role=self._approval_role_arn, timeout_minutes=step.limit_minutes
            )
            return "ManualApproval", _Configuration(execution_approval_config=approval)
        if step == steps.MOVE_TRAFFIC:
            return self._health_checks(step)
        if step == steps.SCALE:
            return self._scaling(step)
        if step == steps.PROMOTE:
            promote = _of.RdsPromoteReadReplicaConfigurationProperty(
                db_instance_arn_map=self._databases(), timeout_minutes=step.limit_minutes
            )
            return "RdsPromoteReadReplica", _Configuration(rds_promote_read_replica_config=promote)
        if step == steps.REPLICATE:
            create = _of.RdsCreateCrossRegionReplicaConfigurationProperty(
                db_instance_arn_map=self._databases(), timeout_minutes=step.limit_minutes
            )
            return "RdsCreateCrossRegionReplica", _Configuration(
                rds_create_cross_region_read_replica_config=create
            )
        return self._function(step, old_region if step == steps.FENCE else new_region)

    def _health_checks(self, step: Step) -> _Block:
        config = _of.Route53HealthCheckConfigurationProperty(
            hosted_zone_id=self._environment.hosted_zone_id,
            record_name=self._environment.record_name,
            record_sets=[
                _of.Route53ResourceRecordSetProperty(region=region, record_set_identifier=region)
                for region in self._environment.regions
            ],
            timeout_minutes=step.limit_minutes,
        )
        return "Route53HealthCheck", _Configuration(route53_health_check_config=config)

    def _scaling(self, step: Step) -> _Block:
        gateways = self._environment.gateways
        if isinstance(gateways, EcsGateways):
            ecs = self._ecs_scaling(step, gateways)
            return "ECSServiceScaling", _Configuration(ecs_capacity_increase_config=ecs)
        eks = self._eks_scaling(step, gateways)
        return "EKSResourceScaling", _Configuration(eks_resource_scaling_config=eks)

    def _ecs_scaling(
        self, step: Step, gateways: EcsGateways
    ) -> arc.CfnPlan.EcsCapacityIncreaseConfigurationProperty:
        clusters = self._environment.arns(self._scope, "ecs", "cluster", gateways.cluster)
        service = f"{gateways.cluster}/{gateways.service}"
        services = self._environment.arns(self._scope, "ecs", "service", service)
        return _of.EcsCapacityIncreaseConfigurationProperty(
            services=[
                _of.ServiceProperty(cluster_arn=cluster_arn, service_arn=service_arn)
                for cluster_arn, service_arn in zip(clusters, services, strict=True)
            ],
            target_percent=100,
            # Region switch counts by itself and keeps it in both regions: the lost one need not be asked.
            capacity_monitoring_approach="sampledMaxInLast24Hours",
            timeout_minutes=step.limit_minutes,
            ungraceful=_of.EcsUngracefulProperty(minimum_success_percentage=FORCED_CAPACITY_PERCENT),
        )

    def _eks_scaling(
        self, step: Step, gateways: EksGateways
    ) -> arc.CfnPlan.EksResourceScalingConfigurationProperty:
        resource = _of.KubernetesScalingResourceProperty(
            namespace=gateways.namespace, name=gateways.deployment, hpa_name=gateways.autoscaler
        )
        return _of.EksResourceScalingConfigurationProperty(
            kubernetes_resource_type=_of.KubernetesResourceTypeProperty(
                api_version="apps/v1", kind="Deployment"
            ),
            eks_clusters=[
                _of.EksClusterProperty(cluster_arn=arn)
                for arn in self._environment.arns(self._scope, "eks", "cluster", gateways.cluster)
            ],
            scaling_resources=[{gateways.deployment: dict.fromkeys(self._environment.regions, resource)}],
            target_percent=100,
            capacity_monitoring_approach="sampledMaxInLast24Hours",
            timeout_minutes=step.limit_minutes,
            ungraceful=_of.EksResourceScalingUngracefulProperty(
                minimum_success_percentage=FORCED_CAPACITY_PERCENT
            ),
        )

    def _databases(self) -> dict[str, str]:
        arns = self._environment.database_arns(self._scope)
        return dict(zip(self._environment.regions, arns, strict=True))

    def _function(self, step: Step, region: RegionToRun) -> _Block:
        functions = self._environment.function_arns(self._scope, step.name)
        action = _of.CustomActionLambdaConfigurationProperty(
            lambdas=[_of.LambdasProperty(arn=arn) for arn in functions],
            region_to_run=region,
            retry_interval_minutes=RETRY_MINUTES,
            timeout_minutes=step.limit_minutes,
            ungraceful=_of.LambdaUngracefulProperty(behavior="skip") if step.forced_skips else None,
        )
        return "CustomActionLambda", _Configuration(custom_action_lambda_config=action)
