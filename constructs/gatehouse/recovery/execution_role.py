"""As whom a recovery plan acts."""

from collections.abc import Mapping, Sequence
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from gatehouse.findings import acknowledge
from gatehouse.recovery.environment import EcsGateways, EksGateways, Recoverable

REPORT_PREFIX = "reports/recovery"
_COLON = cdk.ArnFormat.COLON_RESOURCE_NAME
_LOOKS = "It only reads, and what it reads has no resource in IAM or is not known by name."


class ExecutionRole(Construct):
    """The role by which Region switch evaluates and runs one plan: what its blocks need, and no more.

    Its name is a physical one: clusters of EKS admit it by its ARN. The actions of each block are those of
    the ARC Developer Guide, "Execution block permissions". Where that has an asterisk, conditions hold only
    if their keys exist: requests have them, the simulation by which a plan is evaluated need not.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        role_name: str,
        plan_name: str,
        recoverable: Recoverable,
        report_bucket: s3.IBucket,
        data_key: kms.IKey,
    ) -> None:
        super().__init__(scope, construct_id)
        # Without conditions, as AWS has it: a plan gets the role from whoever may pass it in this account.
        self.role = iam.Role(
            self,
            "Role",
            role_name=role_name,
            assumed_by=iam.ServicePrincipal("arc-region-switch.amazonaws.com"),
        )
        self._stack = cdk.Stack.of(self)
        self._recoverable = recoverable
        self._let_see_itself(role_name, plan_name)
        self._let_move_traffic()
        if isinstance(recoverable.gateways, EcsGateways):
            self._let_scale_ecs(recoverable.gateways)
        else:
            self._let_scale_eks(recoverable.gateways)
        self._let_copy_the_database(data_key)
        functions = [arn for step in recoverable.functions for arn in recoverable.function_arns(self, step)]
        self._allow(["lambda:GetFunction", "lambda:InvokeFunction"], functions)
        self._let_report(report_bucket, data_key)

    def _let_see_itself(self, role_name: str, plan_name: str) -> None:
        """What the evaluation of a plan looks at: the role, the plan, its alarms and quotas."""
        own_arn = self._stack.format_arn(service="iam", region="", resource="role", resource_name=role_name)
        self._allow(["iam:SimulatePrincipalPolicy"], [own_arn])
        self._allow(
            [
                "arc-region-switch:GetPlan",
                "arc-region-switch:GetPlanExecution",
                "arc-region-switch:ListPlanExecutions",
            ],
            [
                self._stack.format_arn(
                    service="arc-region-switch", region="", resource="plan", resource_name=f"{plan_name}:*"
                )
            ],
            open_reason="Region switch makes the last part of a plan's ARN; the plan is this one.",
        )
        self._allow(
            ["cloudwatch:DescribeAlarmHistory", "cloudwatch:DescribeAlarms"],
            self._recoverable.alarm_arns(self),
        )
        self._allow(["servicequotas:GetServiceQuota"], ["*"], open_reason=_LOOKS)

    def _let_move_traffic(self) -> None:
        zone = self._stack.format_arn(
            service="route53",
            region="",
            account="",
            resource="hostedzone",
            resource_name=self._recoverable.hosted_zone_id,
        )
        self._allow(["route53:ListResourceRecordSets"], [zone])

    def _let_scale_ecs(self, gateways: EcsGateways) -> None:
        clusters = self._recoverable.arns(self, "ecs", "cluster", gateways.cluster)
        service = f"{gateways.cluster}/{gateways.service}"
        self._allow(
            ["ecs:DescribeServices", "ecs:UpdateService"],
            self._recoverable.arns(self, "ecs", "service", service),
        )
        self._allow(["ecs:DescribeClusters"], clusters)
        self._allow(
            ["ecs:ListServices"],
            ["*"],
            open_reason="Listing services takes no resource; a condition names the clusters.",
            conditions={"ArnEqualsIfExists": {"ecs:cluster": clusters}},
        )
        self._allow(
            ["application-autoscaling:DescribeScalableTargets", "cloudwatch:GetMetricStatistics"],
            ["*"],
            open_reason=_LOOKS,
        )
        self._allow(
            ["application-autoscaling:RegisterScalableTarget"],
            ["*"],
            open_reason="Scalable targets have generated IDs; conditions leave ECS services of two regions.",
            conditions={
                "StringEqualsIfExists": {
                    "application-autoscaling:scalable-dimension": "ecs:service:DesiredCount",
                    "application-autoscaling:service-namespace": "ecs",
                    "aws:RequestedRegion": list(self._recoverable.regions),
                }
            },
        )

    def _let_scale_eks(self, gateways: EksGateways) -> None:
        """Beside this, an access entry of each cluster has to admit the role."""
        self._allow(["eks:DescribeCluster"], self._recoverable.arns(self, "eks", "cluster", gateways.cluster))
        self._allow(
            ["eks:ListAssociatedAccessPolicies"],
            self._recoverable.arns(self, "eks", "access-entry", f"{gateways.cluster}/*"),
            open_reason="EKS makes the last parts of an access entry's ARN; the clusters are named.",
        )

    def _let_copy_the_database(self, data_key: kms.IKey) -> None:
        """The old instance is renamed, so that a replica can have its name, its groups and its key."""
        database = self._recoverable.database
        instances = self._recoverable.arns(self, "rds", "db", f"{database}*", _COLON)
        groups = [
            arn
            for kind in ("og", "pg", "subgrp")
            for arn in self._recoverable.arns(self, "rds", kind, "*", _COLON)
        ]
        self._allow(["rds:PromoteReadReplica"], self._recoverable.database_arns(self))
        reason = "The instance is renamed, and the groups have generated names; both are in this account."
        self._allow(["rds:DescribeDBInstances"], instances, open_reason=reason)
        self._allow(
            ["rds:AddTagsToResource", "rds:CreateDBInstanceReadReplica", "rds:ModifyDBInstance"],
            [*instances, *groups],
            open_reason=reason,
        )
        # The keys of both regions are one multi-Region key: their ARNs differ in the region alone.
        key_id = cdk.Fn.select(1, cdk.Fn.split("/", data_key.key_arn))
        self._allow(
            ["kms:CreateGrant", "kms:DescribeKey"],
            self._recoverable.arns(self, "kms", "key", key_id),
            conditions={
                "StringEquals": {
                    "kms:ViaService": [f"rds.{region}.amazonaws.com" for region in self._recoverable.regions]
                }
            },
        )

    def _let_report(self, bucket: s3.IBucket, data_key: kms.IKey) -> None:
        reports = bucket.arn_for_objects(f"{REPORT_PREFIX}/*")
        self._allow(
            ["s3:PutObject"], [reports], open_reason="Reports have names of their own below this one."
        )
        self._allow(["kms:Encrypt", "kms:GenerateDataKey"], [data_key.key_arn])

    def _allow(
        self,
        actions: Sequence[str],
        resources: Sequence[str],
        *,
        open_reason: str = "",
        conditions: Mapping[str, Any] | None = None,
    ) -> None:
        """Allow actions on resources; open_reason says why an asterisk in one is safe."""
        self.role.add_to_policy(
            iam.PolicyStatement(actions=list(actions), resources=list(resources), conditions=conditions)
        )
        written = [str(self._stack.resolve(each)) for each in resources if open_reason]
        acknowledge(
            self.role, {f"IAM5[Resource::{each}]": open_reason for each in written if each.endswith("*")}
        )
