"""One environment of the platform."""

import aws_cdk as cdk
from constructs import Construct

from gatehouse import names
from gateway.catalog import Catalog
from stacks.audit import AuditStack
from stacks.backup import BackupStack
from stacks.config.model import Environment
from stacks.data import DataStack
from stacks.edge import EdgeStack
from stacks.identity import IdentityStack
from stacks.keys import KeysStack
from stacks.model_access import add_model_access
from stacks.network import NetworkStack
from stacks.observability import ObservabilityStack
from stacks.registry import RegistryStack
from stacks.service import ServiceStack


class Platform(cdk.Stage):
    """All stacks of an environment, in its account and region; they are called `gatehouse-<name>-<stack>`."""

    def __init__(self, scope: Construct, *, config: Environment, catalog: Catalog) -> None:
        super().__init__(
            scope,
            names.stage(config.name),
            env=cdk.Environment(account=config.account, region=config.region),
        )
        cdk.Tags.of(self).add("project", "gatehouse")
        cdk.Tags.of(self).add("environment", config.name)
        keys = KeysStack(self, "Keys", config=config)
        ObservabilityStack(self, "Observability", config=config, data_key=keys.data_key)
        if not config.audit.is_elsewhere:
            AuditStack(self, "Audit", config=config, data_key=keys.data_key, log_key=keys.log_key)
        identity = IdentityStack(self, "Identity", config=config, log_key=keys.log_key)
        registry = RegistryStack(self, "Registry", config=config, data_key=keys.data_key)
        network = NetworkStack(self, "Network", config=config, catalog=catalog, log_key=keys.log_key)
        data = DataStack(
            self,
            "Data",
            config=config,
            network=network.network,
            security_groups=network.security_groups,
            data_key=keys.data_key,
            log_key=keys.log_key,
        )
        if config.backup.enabled:
            BackupStack(self, "Backup", config=config, data_key=keys.data_key)
        edge = EdgeStack(
            self,
            "Edge",
            config=config,
            network=network.network,
            security_groups=network.security_groups,
            log_key=keys.log_key,
        )
        service = ServiceStack(
            self,
            "Service",
            config=config,
            catalog=catalog,
            network=network.network,
            security_groups=network.security_groups,
            data=data,
            identity=identity,
            registry=registry,
            edge=edge,
            data_key=keys.data_key,
            log_key=keys.log_key,
        )
        service.add_stack_dependency(registry)
        add_model_access(self, config=config, catalog=catalog)
