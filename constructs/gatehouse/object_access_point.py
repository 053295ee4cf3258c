"""One address for the objects of two regions."""

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from constructs import Construct

from gatehouse.custom_resource_function import CustomResourceFunction
from gatehouse.object_replication import BucketPlace

TIME_LIMIT = cdk.Duration.minutes(4)


class ObjectAccessPoint(Construct):
    """A multi-region access point of two buckets that are copied into each other; it is used by its `arn`.

    At first it leads to `active`. Where it leads after that is the recovery's: updates leave it alone.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        active: BucketPlace,
        passive: BucketPlace,
        log_key: kms.IKey,
        log_retention: logs.RetentionDays,
        removal_policy: cdk.RemovalPolicy,
    ) -> None:
        super().__init__(scope, construct_id)
        stack = cdk.Stack.of(self)
        configuration = s3.CfnMultiRegionAccessPoint
        self.access_point = configuration(
            self,
            "AccessPoint",
            regions=[
                configuration.RegionProperty(bucket=bucket.name, bucket_account_id=stack.account)
                for bucket in (active, passive)
            ],
            public_access_block_configuration=configuration.PublicAccessBlockConfigurationProperty(
                block_public_acls=True,
                block_public_policy=True,
                ignore_public_acls=True,
                restrict_public_buckets=True,
            ),
        )
        self.arn = f"arn:aws:s3::{stack.account}:accesspoint/{self.access_point.attr_alias}"
        function = CustomResourceFunction(
            self,
            "Function",
            handler="initial_routes",
            description="Routes a new multi-region access point for CloudFormation",
            timeout=TIME_LIMIT,
            log_key=log_key,
            log_retention=log_retention,
            removal_policy=removal_policy,
        )
        function.role.add_to_policy(
            iam.PolicyStatement(actions=["s3:SubmitMultiRegionAccessPointRoutes"], resources=[self.arn])
        )
        function.resource(
            self,
            "Routes",
            resource_type="Custom::AccessPointRoutes",
            properties={
                "AccountId": stack.account,
                "AccessPoint": self.arn,
                "Active": active.region,
                "Passive": passive.region,
            },
        )
