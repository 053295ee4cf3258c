"""Any other image."""

from collections.abc import Sequence

import aws_cdk as cdk

from gatehouse.container_settings import ContainerSettings
from gatehouse.image_profile import Container, ImageProfile


def custom_profile(*, port: int, ready_path: str, user: str, command: Sequence[str]) -> ImageProfile:
    """An image of which only this is known: it gets no variables, and no permissions but to call models."""
    return ImageProfile(
        container=Container(
            settings=ContainerSettings(environment={}, secrets={}), user=user, command=list(command) or None
        ),
        port=port,
        ready_path=ready_path,
        health_command=None,
        start_period=cdk.Duration.seconds(60),
    )
