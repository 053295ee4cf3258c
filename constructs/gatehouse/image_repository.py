"""The registry of the gateway's images."""

import aws_cdk as cdk
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

UNTAGGED_DAYS = 7
KEPT_IMAGES = 50

# What pushing takes, and what the CDK CLI reads to see whether an image is there already.
_PUSH_ACTIONS = [
    "ecr:BatchCheckLayerAvailability",
    "ecr:BatchGetImage",
    "ecr:CompleteLayerUpload",
    "ecr:DescribeImages",
    "ecr:DescribeRepositories",
    "ecr:GetDownloadUrlForLayer",
    "ecr:InitiateLayerUpload",
    "ecr:PutImage",
    "ecr:UploadLayerPart",
]


class ImageRepository(Construct):
    """An ECR repository whose tags never move, scanned at each push, that `publisher` may push to.

    With `removal_policy` DESTROY its images go with it.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        repository_name: str,
        encryption_key: kms.IKey,
        publisher: iam.IPrincipal,
        removal_policy: cdk.RemovalPolicy,
    ) -> None:
        super().__init__(scope, construct_id)
        self.repository = ecr.Repository(
            self,
            "Repository",
            repository_name=repository_name,
            image_tag_mutability=ecr.TagMutability.IMMUTABLE,
            image_scan_on_push=True,
            encryption=ecr.RepositoryEncryption.KMS,
            encryption_key=encryption_key,
            empty_on_delete=removal_policy == cdk.RemovalPolicy.DESTROY,
            removal_policy=removal_policy,
            lifecycle_rules=[
                ecr.LifecycleRule(
                    description="Layers of abandoned pushes",
                    tag_status=ecr.TagStatus.UNTAGGED,
                    max_image_age=cdk.Duration.days(UNTAGGED_DAYS),
                ),
                ecr.LifecycleRule(description="Enough to roll back far", max_image_count=KEPT_IMAGES),
            ],
        )
        # The bootstrap role's own policy covers the bootstrap repository alone.
        self.repository.add_to_resource_policy(
            iam.PolicyStatement(sid="Publish", principals=[publisher], actions=_PUSH_ACTIONS)
        )
