"""What the manifests of a gateway are made of."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from lightkube.models import meta_v1 as meta

from gatehouse.image_profile import ImageProfile
from gatehouse.kubernetes.cluster_reference import ClusterReference
from gatehouse.kubernetes.manifest import labels

# The service accounts, and what else belongs to one of the two: its name and its component.
GATEWAY = "gateway"
MIGRATIONS = "migrations"


@dataclass(frozen=True, kw_only=True)
class Workload:
    """A gateway in a namespace of its own; strings may be values that only the deployment knows.

    collector_configuration: beside collector_image_uri, which is None where no collector runs. cpu_units,
    memory_mib: of a whole pod; 1024 units are one core. drain_seconds: for the running answers of a pod that
    has to go. zones: where nodes are. has_own_nodes: whether the cluster has the gateway's node pool, which
    grows as pods need it; otherwise any node takes them.
    load_balancer_cidrs: the subnets that requests come from. backend_cidrs: where database and cache are.
    gateway_annotations, migration_annotations: of the service accounts, which give pods their AWS roles.
    resolve: makes the same of the same values in every synthesis (Stack.resolve).
    """

    namespace: str
    region: str
    image_uri: str
    profile: ImageProfile
    collector_image_uri: str | None
    collector_configuration: Mapping[str, Any] | None
    cpu_units: int
    memory_mib: int
    cpu_architecture: Literal["arm64", "x86_64"]
    minimum_pods: int
    maximum_pods: int
    drain_seconds: int
    zones: Sequence[str]
    cluster: ClusterReference
    has_own_nodes: bool
    target_group_arn: str
    load_balancer_cidrs: Sequence[str]
    backend_cidrs: Sequence[str]
    database_port: int
    cache_port: int
    has_ipv6: bool
    gateway_annotations: Mapping[str, str]
    migration_annotations: Mapping[str, str]
    resolve: Callable[[Any], Any]

    def metadata(
        self, name: str, component: str, annotations: Mapping[str, str] | None = None
    ) -> meta.ObjectMeta:
        """An object's name and labels in the workload's namespace."""
        return meta.ObjectMeta(
            name=name,
            namespace=self.namespace,
            labels=labels(GATEWAY, component),
            annotations=dict(annotations) if annotations else None,
        )


def selector(component: str) -> dict[str, str]:
    """Those of a pod's labels that tell it from every other in the namespace; they never change."""
    return {"app.kubernetes.io/name": GATEWAY, "app.kubernetes.io/component": component}
