"""The Registry stack."""

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from gatehouse import names
from gatehouse.image_repository import ImageRepository
from stacks.config.model import Environment
from stacks.lifetimes import removal_policy


class RegistryStack(cdk.Stack):
    """Where the gateway's images are."""

    def __init__(
        self, scope: Construct, construct_id: str, *, config: Environment, data_key: kms.IKey
    ) -> None:
        super().__init__(scope, construct_id, termination_protection=config.termination_protection)
        images = ImageRepository(
            self,
            "Images",
            repository_name=names.image_repository(config.name),
            encryption_key=data_key,
            publisher=iam.ArnPrincipal(self._publishing_role_arn()),
            removal_policy=removal_policy(config),
        )
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
