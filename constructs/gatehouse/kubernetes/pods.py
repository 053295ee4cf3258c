"""The pods of a gateway's image, whether it serves or migrates."""

from collections.abc import Mapping

from lightkube.models import core_v1 as core

from gatehouse.image_profile import Container
from gatehouse.kubernetes.containers import resources, security, variables, words
from gatehouse.kubernetes.node_pool import NODE_SELECTOR
from gatehouse.kubernetes.secret_files import (
    FOLDER,
    class_name,
    secret_variables,
    secrets_mount,
    secrets_volume,
)
from gatehouse.kubernetes.workload_inputs import Workload

_ARCHITECTURES = {"arm64": "arm64", "x86_64": "amd64"}


def image_container(
    workload: Workload,
    name: str,
    container: Container,
    *,
    cpu_units: int,
    memory_mib: int,
    environment: Mapping[str, str],
    secrets_variable: str | None,
) -> core.Container:
    """The image's container, named as its component.

    environment: beside the container's own. secrets_variable: names the folder of secrets for an image that
    reads files; without it secrets are variables.
    """
    own, secrets = container.settings.environment, container.settings.secrets
    mounts = [
        core.VolumeMount(name=volume, mountPath=path) for volume, path, _ in _temporary_folders(container)
    ]
    from_secrets: list[core.EnvVar] = []
    if secrets:
        # Also where it reads variables: what they are taken from is made of the files that a pod has mounted.
        mounts.append(secrets_mount())
        if secrets_variable is None:
            from_secrets = secret_variables(class_name(workload, name, secrets), secrets)
        else:
            environment = {**environment, secrets_variable: FOLDER}
    return core.Container(
        name=name,
        image=workload.image_uri,
        command=words(container.entry_point),
        args=words(container.command),
        env=variables({**own, **environment}, region=workload.region) + from_secrets,
        resources=resources(cpu_units=cpu_units, memory_mib=memory_mib),
        securityContext=security(container.user),
        volumeMounts=mounts,
        # The last lines of one that fails are in its status, where whoever waits for it looks.
        terminationMessagePolicy="FallbackToLogsOnError",
    )


def image_pod(workload: Workload, name: str, container: Container, main: core.Container) -> core.PodSpec:
    """The pod around `main`, with the service account and the secrets of the component `name`."""
    volumes = [
        # In memory, which is the container's.
        core.Volume(name=volume, emptyDir=core.EmptyDirVolumeSource(medium="Memory", sizeLimit=f"{mib}Mi"))
        for volume, _, mib in _temporary_folders(container)
    ]
    if secrets := container.settings.secrets:
        volumes.append(secrets_volume(class_name(workload, name, secrets)))
    own_nodes = NODE_SELECTOR if workload.has_own_nodes else {}
    return core.PodSpec(
        serviceAccountName=name,
        automountServiceAccountToken=False,
        # The service's name would make variables that begin as the gateway's settings do: it refuses them.
        enableServiceLinks=False,
        securityContext=core.PodSecurityContext(
            runAsNonRoot=True, seccompProfile=core.SeccompProfile(type="RuntimeDefault")
        ),
        nodeSelector={**own_nodes, "kubernetes.io/arch": _ARCHITECTURES[workload.cpu_architecture]},
        # Every name that is asked for is complete: the cluster's domains need not be tried before it.
        dnsConfig=core.PodDNSConfig(options=[core.PodDNSConfigOption(name="ndots", value="1")]),
        containers=[main],
        volumes=volumes,
    )


def _temporary_folders(container: Container) -> list[tuple[str, str, int]]:
    """The volume, path and size in MiB of each folder that the container may write to."""
    return [
        (f"temporary-{index}", path, mib) for index, (path, mib) in enumerate(container.temporary_mib.items())
    ]
