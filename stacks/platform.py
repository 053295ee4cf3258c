"""One environment of the platform."""

import aws_cdk as cdk
from constructs import Construct

from gatehouse import names
from gateway.catalog import Catalog
from stacks.audit import AuditStack
from stacks.backup import BackupStack
from stacks.config.model import Environment
from stacks.model_access import add_model_access
from stacks.recovery import RecoveryStack
from stacks.region import RegionalPlatform
from stacks.standby import standby_environment
from stacks.standby_catalog import regional_catalogs, standby_catalog


class Platform(cdk.Stage):
    """All stacks of an environment; they are called `gatehouse-<name>-<stack>`.

    Those of its standby region, if it has one, come after `Standby-`. standby_active: the primary region is
    lost, and a cold standby runs gateways, too.
    """

    def __init__(
        self, scope: Construct, *, config: Environment, catalog: Catalog, standby_active: bool = False
    ) -> None:
        super().__init__(
            scope,
            names.stage(config.name),
            env=cdk.Environment(account=config.account, region=config.region),
        )
        cdk.Tags.of(self).add("project", "gatehouse")
        cdk.Tags.of(self).add("environment", config.name)
        primary = RegionalPlatform(self, config=config, catalog=catalog)
        if not config.audit.is_elsewhere:
            AuditStack(
                self, "Audit", config=config, data_key=primary.keys.data_key, log_key=primary.keys.log_key
            )
        if config.backup.enabled:
            BackupStack(self, "Backup", config=config, data_key=primary.keys.data_key)
        here = standby_environment(config, active=standby_active)
        if here is not None:
            standby = RegionalPlatform(self, config=here, catalog=standby_catalog(here, catalog))
            standby.follow(primary)
            if here.backup.enabled:
                backup = names.standby_stack("Backup")
                BackupStack(self, backup, config=here, data_key=standby.keys.data_key)
            if here.runs_gateways:
                recovery = RecoveryStack(
                    self,
                    names.standby_stack("Recovery"),
                    config=here,
                    data_key=standby.keys.data_key,
                    log_key=standby.keys.log_key,
                )
                standby.take_part_in(recovery, primary)
        add_model_access(self, config=config, catalogs=regional_catalogs(config, catalog))
