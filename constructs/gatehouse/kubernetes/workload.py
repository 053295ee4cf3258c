"""A gateway on Kubernetes: what has to be there before its pods, and the pods."""

from collections.abc import Iterator

from gatehouse.kubernetes.deployment import deployment
from gatehouse.kubernetes.manifest import Manifest
from gatehouse.kubernetes.migration_job import migration_job
from gatehouse.kubernetes.namespace import namespace, service_accounts
from gatehouse.kubernetes.network_policies import network_policies
from gatehouse.kubernetes.scaling import autoscaler, disruption_budget
from gatehouse.kubernetes.secret_files import secret_provider_class
from gatehouse.kubernetes.target_group_binding import service, target_group_binding
from gatehouse.kubernetes.workload_inputs import GATEWAY, MIGRATIONS, Workload


def prerequisites(workload: Workload) -> list[Manifest]:
    """The namespace, its rules and secrets, and the migrations, which have to end before the pods change.

    The binding is among them: a pod that is made before it is known waits for no load balancer to be ready,
    and tools that apply all at once put kinds that Kubernetes does not have last.
    """
    manifests = [
        namespace(workload),
        *service_accounts(workload),
        *network_policies(workload),
        *_secrets(workload),
        service(workload),
        target_group_binding(workload),
    ]
    migrations = workload.profile.migrations
    return manifests if migrations is None else [*manifests, migration_job(workload, migrations)]


def gateway(workload: Workload) -> list[Manifest]:
    """The pods, and how many of them there are."""
    return [disruption_budget(workload), deployment(workload), autoscaler(workload)]


def _secrets(workload: Workload) -> Iterator[Manifest]:
    profile = workload.profile
    if secrets := profile.container.settings.secrets:
        as_variables = profile.secrets_variable is None
        yield secret_provider_class(workload, GATEWAY, secrets, as_variables=as_variables)
    if profile.migrations is not None and (secrets := profile.migrations.container.settings.secrets):
        yield secret_provider_class(workload, MIGRATIONS, secrets, as_variables=True)
