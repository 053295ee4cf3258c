"""The gateway, as both platforms run it."""

from collections.abc import Sequence
from dataclasses import dataclass

from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms

from gatehouse.database_instance import grant_connect
from gatehouse.findings import acknowledge
from gatehouse.image_profile import ImageProfile
from gatehouse.model_access import ModelAccess
from gatehouse.model_configuration import ModelConfiguration
from gatehouse.network import Network
from gatehouse.security_groups import SecurityGroups
from gatehouse.service_targets import ServiceTargets
from stacks.config.model import Environment
from stacks.data import DataStack


@dataclass(frozen=True, kw_only=True)
class Gateway:
    """What is run, and among what.

    access: to the models of the catalog. models: that catalog's delivery; a gateway other than the bundled
    one brings its own. targets: where the load balancer sends requests. alarms: those that take a new version
    back.
    """

    config: Environment
    profile: ImageProfile
    access: ModelAccess
    models: ModelConfiguration | None
    targets: ServiceTargets
    alarms: Sequence[cloudwatch.Alarm]
    network: Network
    security_groups: SecurityGroups
    data: DataStack
    data_key: kms.IKey
    log_key: kms.IKey

    @property
    def has_metrics(self) -> bool:
        """Whether CloudWatch gets the gateway's own metrics: a collector runs, and there are some."""
        return self.config.service.collector_image is not None and bool(self.profile.metrics_ports)

    def grant_backends(self, role: iam.IRole) -> None:
        """Let the gateway's role sign in to the cache and the database, and fetch its catalog."""
        self.data.cache.grant_connect(role)
        if self.profile.database_user is not None:
            self.grant_database(role, self.profile.database_user)
        if self.models is not None:
            self.models.grant_read(role)

    def grant_database(self, role: iam.IRole, user: str) -> None:
        """Let a role sign in to the database as one of its users, also after a recovery has replaced it."""
        instance = self.data.database.instance
        grant_connect(role, instance, user, is_replaceable=self.config.standby_region is not None)

    def acknowledge_open_resources(self, role: iam.IRole) -> None:
        """Acknowledge the asterisks in what the gateway's role may do, each for its own reason."""
        open_resources = {**self.access.open_resources, **self.profile.open_resources}
        acknowledge(
            role, {f"IAM5[Resource::{resource}]": reason for resource, reason in open_resources.items()}
        )
