"""The bundled gateway."""

import aws_cdk as cdk

from gatehouse.container_settings import ContainerSettings, default_port
from gatehouse.image_profile import Container, ImageProfile, Migrations
from gateway.settings import Settings, variable

USER = "10001"
PYTHON = "/opt/gateway/bin/python"
MIGRATIONS_COMMAND = ("-m", "gateway.migrations")
# The same command as the image's HEALTHCHECK, which ECS does not read.
HEALTH_COMMAND = ("CMD", PYTHON, "-m", "gateway.healthcheck")
READY_PATH = "/health/ready"
LIVE_PATH = "/health/live"


def gatehouse_profile(
    *, settings: ContainerSettings, migration_settings: ContainerSettings, database_user: str
) -> ImageProfile:
    """The image of `gateway_image/`: its settings are checked against its own definition of them."""
    return ImageProfile(
        container=Container(settings=settings, user=USER),
        port=default_port("port"),
        ready_path=READY_PATH,
        health_command=HEALTH_COMMAND,
        start_period=cdk.Duration.seconds(15),
        live_path=LIVE_PATH,
        secrets_variable=variable("secrets_directory"),
        drain_variable=variable("drain_seconds"),
        metrics_ports=_metrics_ports(settings),
        database_user=database_user,
        migrations=Migrations(
            container=Container(
                settings=migration_settings,
                user=USER,
                # In place of the image's own, which serves requests.
                entry_point=[PYTHON],
                command=list(MIGRATIONS_COMMAND),
            )
        ),
    )


def _metrics_ports(settings: ContainerSettings) -> range:
    """One port for each process: they count for themselves."""
    workers = settings.environment.get(variable("workers"), Settings.model_fields["workers"].default)
    first = default_port("metrics_port")
    return range(first, first + int(workers))
