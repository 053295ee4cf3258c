"""Synthesis of a stack whose image goes into a repository of this app."""

import aws_cdk as cdk
from aws_cdk import cloud_assembly_schema as schema


class ImageSynthesizer(cdk.DefaultStackSynthesizer):
    """The CDK's modern synthesizer, with images published to `repository_name` instead of the bootstrap one.

    The CLI builds images before it deploys the first stack and fails where their repository is missing.
    The asset manifest therefore depends on `repository_stack`, which puts the build after it.
    """

    def __init__(self, *, repository_name: str, repository_stack: cdk.Stack) -> None:
        super().__init__(image_assets_repository_name=repository_name)
        self._repository_stack = repository_stack

    def reusable_bind(self, stack: cdk.Stack) -> cdk.IBoundStackSynthesizer:
        """Bind this very object to its one stack: a copy would lose this class's own synthesize()."""
        self.bind(stack)
        return self

    def synthesize(self, session: cdk.ISynthesisSession) -> None:
        """Write the stack's artifacts."""
        super().synthesize(session)
        stack = self._bound_stack
        artifact_id = f"{stack.artifact_id}.assets"
        session.assembly.add_artifact(
            artifact_id,
            type=schema.ArtifactType.ASSET_MANIFEST,
            dependencies=[self._repository_stack.artifact_id],
            properties=schema.AssetManifestProperties(
                file=f"{artifact_id}.json",
                requires_bootstrap_stack_version=6,
                bootstrap_stack_version_ssm_parameter=f"/cdk-bootstrap/{self.bootstrap_qualifier}/version",
            ),
        )
