"""The namespace of a gateway, and whom its pods run as."""

from collections.abc import Mapping

from lightkube.models import core_v1 as core
from lightkube.models import meta_v1 as meta

from gatehouse.kubernetes.manifest import Manifest, labels
from gatehouse.kubernetes.workload_inputs import GATEWAY, MIGRATIONS, Workload

POD_SECURITY = "restricted"
# By this label pods are ready only once the load balancer finds them healthy, too.
_READINESS_GATES = {
    "auto-mode": "eks.amazonaws.com/pod-readiness-gate-inject",
    "controller": "elbv2.k8s.aws/pod-readiness-gate-inject",
}


def namespace(workload: Workload) -> Manifest:
    """A namespace that admits only pods of the restricted Pod Security Standard."""
    admission = {f"pod-security.kubernetes.io/{mode}": POD_SECURITY for mode in ("enforce", "audit", "warn")}
    gates = {_READINESS_GATES[workload.cluster.load_balancing]: "enabled"}
    every_label = {**labels(GATEWAY, "namespace"), **admission, **gates}
    return core.Namespace(metadata=meta.ObjectMeta(name=workload.namespace, labels=every_label)).to_dict()


def service_accounts(workload: Workload) -> list[Manifest]:
    """One for the gateway, and one for its migrations where it has any: each has an AWS role of its own."""
    accounts: dict[str, Mapping[str, str]] = {GATEWAY: workload.gateway_annotations}
    if workload.profile.migrations is not None:
        accounts[MIGRATIONS] = workload.migration_annotations
    return [
        core.ServiceAccount(
            metadata=workload.metadata(name, name, annotations),
            # Nothing in these pods speaks to Kubernetes. What gives them their AWS role mounts its own token.
            automountServiceAccountToken=False,
        ).to_dict()
        for name, annotations in accounts.items()
    ]
