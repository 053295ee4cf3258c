"""The Registry stack."""

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from gatehouse import alarms, names
from gatehouse.image_findings import ImageFindings
from gatehouse.image_repository import EnhancedScanning, ImageReplication, ImageRepository, ImageSigning
from stacks.config.model import Environment
from stacks.lifetimes import removal_policy
from stacks.regional_stack import RegionalStack


class RegistryStack(RegionalStack):
    """Where the gateway's images are: scanned, signed and copied as the environment's configuration says."""

    def __init__(
        self, scope: Construct, construct_id: str, *, config: Environment, data_key: kms.IKey
    ) -> None:
        super().__init__(scope, construct_id, config=config)
        name = names.image_repository(config.name)
        publisher = iam.Role.from_role_arn(self, "Publisher", self._publishing_role_arn())
        images = ImageRepository(
            self,
            "Images",
            repository_name=name,
            encryption_key=data_key,
            publisher=publisher,
            removal_policy=removal_policy(config),
        )
        if config.image.signing:
            ImageSigning(self, "Signing", repository_name=name, publisher=publisher)
        if config.image.enhanced_scanning:
            EnhancedScanning(self, "Scanning", repository_name=name)
        if regions := _copied_to(config):
            ImageReplication(self, "Replication", repository_name=name, regions=regions)
        topic_arn = alarms.topic_arn(self, names.alarm_topic(config.name))
        ImageFindings(self, "Findings", repository_name=name, topic_arn=topic_arn, topic_key=data_key)
        cdk.CfnOutput(self, "RepositoryUri", value=images.repository.repository_uri)

    def _publishing_role_arn(self) -> str:
        """The role of `cdk bootstrap` that the CLI assumes to push images."""
        qualifier = self.synthesizer.bootstrap_qualifier or cdk.DefaultStackSynthesizer.DEFAULT_QUALIFIER
        return self.format_arn(
            service="iam",
            region="",
            resource="role",
            resource_name=f"cdk-{qualifier}-image-publishing-role-{self.account}-{self.region}",
        )


def _copied_to(config: Environment) -> list[str]:
    """Where each pushed image is copied to; what is pushed in the standby region stays there."""
    if config.is_standby:
        return []
    standby = [config.standby_region] if config.standby_region is not None else []
    return [*config.image.replicate_to, *standby]
