"""The stacks that each region of an environment has."""

import aws_cdk as cdk
from constructs import Construct

from gatehouse import names
from gateway.catalog import Catalog
from stacks.config.model import Environment
from stacks.data import DataStack
from stacks.edge import EdgeStack
from stacks.identity import IdentityStack, PrimaryIdentityStack
from stacks.keys import KeysStack
from stacks.network import NetworkStack
from stacks.observability import ObservabilityStack
from stacks.registry import RegistryStack
from stacks.replicated_data import ReplicatedDataStack
from stacks.replicated_identity import ReplicatedIdentityStack
from stacks.service import ServiceStack
from stacks.standby import StandbyEnvironment


class RegionalPlatform:
    """One region's stacks, made within `stage`; `service` and `edge` are None where no gateways run."""

    def __init__(self, stage: Construct, *, config: Environment, catalog: Catalog) -> None:
        def named(stack: str) -> str:
            return names.standby_stack(stack) if config.is_standby else stack

        self.keys = KeysStack(stage, named("Keys"), config=config)
        data_key, log_key = self.keys.data_key, self.keys.log_key
        ObservabilityStack(stage, named("Observability"), config=config, data_key=data_key)
        self.identity: IdentityStack
        if isinstance(config, StandbyEnvironment):
            self.identity = ReplicatedIdentityStack(stage, named("Identity"), config=config, log_key=log_key)
        else:
            self.identity = PrimaryIdentityStack(
                stage, named("Identity"), config=config, data_key=data_key, log_key=log_key
            )
        self.registry = RegistryStack(stage, named("Registry"), config=config, data_key=data_key)
        self.network = NetworkStack(stage, named("Network"), config=config, catalog=catalog, log_key=log_key)
        network, security_groups = self.network.network, self.network.security_groups
        data = ReplicatedDataStack if config.is_standby else DataStack
        self.data = data(
            stage,
            named("Data"),
            config=config,
            network=network,
            security_groups=security_groups,
            data_key=data_key,
            log_key=log_key,
        )
        self.edge: EdgeStack | None = None
        self.service: ServiceStack | None = None
        if not config.runs_gateways:
            return
        self.edge = EdgeStack(
            stage,
            named("Edge"),
            config=config,
            network=network,
            security_groups=security_groups,
            log_key=log_key,
        )
        self.service = ServiceStack(
            stage,
            named("Service"),
            config=config,
            catalog=catalog,
            network=network,
            security_groups=security_groups,
            data=self.data,
            identity=self.identity,
            registry=self.registry,
            edge=self.edge,
            data_key=data_key,
            log_key=log_key,
        )
        self.service.add_stack_dependency(self.registry)

    def follow(self, primary: "RegionalPlatform") -> None:
        """Come after what is copied from `primary`, and let it wait for the keys of its copies.

        The order of a first deployment. Later each stack of the standby can be deployed alone: nothing of
        theirs is resolved in the primary's region (`cdk deploy --exclusively`).
        """
        self.keys.add_stack_dependency(primary.keys)
        primary.data.add_stack_dependency(self.keys)
        primary.identity.add_stack_dependency(self.keys)
        self.data.add_stack_dependency(primary.data)
        self.identity.add_stack_dependency(primary.identity)
        primary.registry.add_stack_dependency(self.registry)
        if primary.service is not None:
            # One of its steps leads to both regions' objects.
            primary.service.add_stack_dependency(self.data)

    def take_part_in(self, recovery: cdk.Stack, primary: "RegionalPlatform") -> None:
        """Let both regions' edges wait for the health checks of `recovery`, and our gateways for the schema.

        What runs in a region waits for its edge, and so do the clusters that admit the recovery's role.
        """
        for edge in (primary.edge, self.edge):
            if edge is not None:
                edge.add_stack_dependency(recovery)
        if primary.service is not None and self.service is not None:
            self.service.add_stack_dependency(primary.service)
