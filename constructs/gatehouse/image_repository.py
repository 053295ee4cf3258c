"""The registry of the gateway's images."""

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_signer as signer
from constructs import Construct

KEPT_IMAGES = 50
# AWS Signer's format for images: signatures of the Notary Project, kept beside the image.
SIGNING_PLATFORM = "Notation-OCI-SHA384-ECDSA"

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
        publisher: iam.IRole,
        removal_policy: cdk.RemovalPolicy,
    ) -> None:
        super().__init__(scope, construct_id)
        self.repository = ecr.Repository(
            self,
            "Repository",
            repository_name=repository_name,
            image_tag_mutability=ecr.TagMutability.IMMUTABLE,
            # Kept beside the registry's configuration, which belongs to the whole account: where that says
            # nothing of this repository, images are scanned all the same.
            image_scan_on_push=True,
            encryption=ecr.RepositoryEncryption.KMS,
            encryption_key=encryption_key,
            empty_on_delete=removal_policy == cdk.RemovalPolicy.DESTROY,
            removal_policy=removal_policy,
            # None for untagged images: signatures are such, and go with the image that they belong to.
            lifecycle_rules=[
                ecr.LifecycleRule(
                    description="Enough to roll back far",
                    tag_status=ecr.TagStatus.TAGGED,
                    tag_pattern_list=["*"],
                    max_image_count=KEPT_IMAGES,
                )
            ],
        )
        # The bootstrap role's own policy covers the bootstrap repository alone.
        self.repository.add_to_resource_policy(
            iam.PolicyStatement(
                sid="Publish", principals=[iam.ArnPrincipal(publisher.role_arn)], actions=_PUSH_ACTIONS
            )
        )


class ImageSigning(Construct):
    """ECR signs each image that is pushed to `repository_name`, as whoever pushes it: `publisher`.

    A registry has one signing configuration, for all repositories of its account and region.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, repository_name: str, publisher: iam.IRole
    ) -> None:
        super().__init__(scope, construct_id)
        profile = signer.CfnSigningProfile(self, "Profile", platform_id=SIGNING_PLATFORM)
        permission = iam.ManagedPolicy(
            self,
            "MaySign",
            description="Signing of images with the gateway's profile",
            roles=[publisher],
            statements=[iam.PolicyStatement(actions=["signer:SignPayload"], resources=[profile.attr_arn])],
        )
        configuration = ecr.CfnSigningConfiguration(
            self,
            "Configuration",
            rules=[
                ecr.CfnSigningConfiguration.RuleProperty(
                    signing_profile_arn=profile.attr_arn,
                    repository_filters=[
                        ecr.CfnSigningConfiguration.RepositoryFilterProperty(
                            filter=repository_name, filter_type="WILDCARD_MATCH"
                        )
                    ],
                )
            ],
        )
        # Without it a push succeeds and its signature fails, which nobody would notice.
        configuration.node.add_dependency(permission)


class EnhancedScanning(Construct):
    """Amazon Inspector watches the images of `repository_name` for weaknesses found after their push.

    It is the scanning configuration of the whole registry: other repositories of the account and region are
    no longer scanned at a push.
    """

    def __init__(self, scope: Construct, construct_id: str, *, repository_name: str) -> None:
        super().__init__(scope, construct_id)
        ecr.CfnRegistryScanningConfiguration(
            self,
            "Configuration",
            scan_type="ENHANCED",
            rules=[
                ecr.CfnRegistryScanningConfiguration.ScanningRuleProperty(
                    scan_frequency="CONTINUOUS_SCAN",
                    repository_filters=[
                        ecr.CfnRegistryScanningConfiguration.RepositoryFilterProperty(
                            filter=repository_name, filter_type="WILDCARD"
                        )
                    ],
                )
            ],
        )


class ImageReplication(Construct):
    """Each image that is pushed to `repository_name` is copied to `regions`, into a repository of that name.

    It is the replication configuration of the whole registry. ECR creates the copies' repositories with its
    own defaults, unless a template or the repository is there already.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, repository_name: str, regions: Sequence[str]
    ) -> None:
        super().__init__(scope, construct_id)
        account = cdk.Stack.of(self).account
        configuration = ecr.CfnReplicationConfiguration
        configuration(
            self,
            "Configuration",
            replication_configuration=configuration.ReplicationConfigurationProperty(
                rules=[
                    configuration.ReplicationRuleProperty(
                        destinations=[
                            configuration.ReplicationDestinationProperty(region=region, registry_id=account)
                            for region in regions
                        ],
                        repository_filters=[
                            configuration.RepositoryFilterProperty(
                                filter=repository_name, filter_type="PREFIX_MATCH"
                            )
                        ],
                    )
                ]
            ),
        )
