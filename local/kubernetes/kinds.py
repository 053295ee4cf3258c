"""The kinds of objects that the cluster knows."""

from collections.abc import Mapping
from dataclasses import dataclass

CONTAINER_LOG = "pods/log"


@dataclass(frozen=True)
class Kind:
    """A kind of objects; `version` is its group and version as manifests write them."""

    version: str
    name: str
    plural: str
    is_namespaced: bool = True
    is_built_in: bool = True

    @property
    def root(self) -> str:
        """Where the API has its group and version."""
        return f"/apis/{self.version}" if "/" in self.version else f"/api/{self.version}"


KINDS = (
    Kind("v1", "ConfigMap", "configmaps"),
    Kind("v1", "Namespace", "namespaces", is_namespaced=False),
    Kind("v1", "Pod", "pods"),
    Kind("v1", "Secret", "secrets"),
    Kind("v1", "Service", "services"),
    Kind("v1", "ServiceAccount", "serviceaccounts"),
    Kind("apps/v1", "DaemonSet", "daemonsets"),
    Kind("apps/v1", "Deployment", "deployments"),
    Kind("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers"),
    Kind("batch/v1", "Job", "jobs"),
    Kind("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies"),
    Kind("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets"),
    Kind("rbac.authorization.k8s.io/v1", "ClusterRole", "clusterroles", is_namespaced=False),
    Kind("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", "clusterrolebindings", is_namespaced=False),
    Kind("rbac.authorization.k8s.io/v1", "Role", "roles"),
    Kind("rbac.authorization.k8s.io/v1", "RoleBinding", "rolebindings"),
    Kind("scheduling.k8s.io/v1", "PriorityClass", "priorityclasses", is_namespaced=False),
    Kind("eks.amazonaws.com/v1", "NodeClass", "nodeclasses", is_namespaced=False, is_built_in=False),
    Kind("eks.amazonaws.com/v1", "TargetGroupBinding", "targetgroupbindings", is_built_in=False),
    Kind("elbv2.k8s.aws/v1beta1", "TargetGroupBinding", "targetgroupbindings", is_built_in=False),
    Kind("karpenter.sh/v1", "NodePool", "nodepools", is_namespaced=False, is_built_in=False),
    Kind("secrets-store.csi.x-k8s.io/v1", "SecretProviderClass", "secretproviderclasses", is_built_in=False),
)
BY_NAME: Mapping[tuple[str, str], Kind] = {(kind.version, kind.name): kind for kind in KINDS}


def resource_list(root: str) -> dict[str, object] | None:
    """What discovery answers of a group and version; None for one that the cluster does not have."""
    kinds = [kind for kind in KINDS if kind.root == root]
    if not kinds:
        return None
    resources: list[dict[str, object]] = []
    for kind in kinds:
        names = [kind.plural, f"{kind.plural}/status", *([CONTAINER_LOG] if kind.name == "Pod" else [])]
        resources += [
            {
                "name": name,
                "singularName": "",
                "namespaced": kind.is_namespaced,
                "kind": kind.name,
                "verbs": ["delete", "get", "list", "patch"],
            }
            for name in names
        ]
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": kinds[0].version,
        "resources": resources,
    }
