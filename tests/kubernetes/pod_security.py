"""The restricted Pod Security Standard (kubernetes.io/docs/concepts/security/pod-security-standards).

What a pod of Linux containers breaks of it, baseline included. Kubernetes enforces it by the labels of the
namespace; here it is found before a deployment.
"""

from collections.abc import Iterator, Mapping
from typing import Any

Fields = Mapping[str, Any]

_VOLUMES = frozenset(
    {
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "persistentVolumeClaim",
        "projected",
        "secret",
    }
)
_PROFILES = frozenset({"RuntimeDefault", "Localhost"})
_SYSCTLS = frozenset(
    {
        "kernel.shm_rmid_forced",
        "net.ipv4.ip_local_port_range",
        "net.ipv4.ip_local_reserved_ports",
        "net.ipv4.ip_unprivileged_port_start",
        "net.ipv4.ping_group_range",
        "net.ipv4.tcp_fin_timeout",
        "net.ipv4.tcp_keepalive_intvl",
        "net.ipv4.tcp_keepalive_probes",
        "net.ipv4.tcp_keepalive_time",
        "net.ipv4.tcp_rmem",
        "net.ipv4.tcp_syncookies",
        "net.ipv4.tcp_wmem",
    }
)
_SELINUX_TYPES = frozenset({"", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"})


def breaches(pod: Fields) -> list[str]:
    """What a pod's specification breaks, by control and place."""
    own = pod.get("securityContext", {})
    return [
        *_of_pod(pod, own),
        *(
            f"{control}: {container['name']}"
            for container in _containers(pod)
            for control in _of_container(container, own)
        ),
    ]


def _containers(pod: Fields) -> list[Fields]:
    return [
        container
        for kind in ("initContainers", "containers", "ephemeralContainers")
        for container in pod.get(kind, [])
    ]


def _of_pod(pod: Fields, own: Fields) -> Iterator[str]:
    yield from (f"host namespaces: {name}" for name in ("hostNetwork", "hostPID", "hostIPC") if pod.get(name))
    for volume in pod.get("volumes", []):
        if not _VOLUMES & volume.keys():
            yield f"volume types: {volume['name']}"
    for sysctl in own.get("sysctls", []):
        if sysctl["name"] not in _SYSCTLS:
            yield f"sysctls: {sysctl['name']}"
    yield from (f"{control}: pod" for control in _of_context(own))


def _of_container(container: Fields, pods: Fields) -> Iterator[str]:
    own = container.get("securityContext", {})
    capabilities = own.get("capabilities", {})
    if own.get("privileged"):
        yield "privileged containers"
    if own.get("allowPrivilegeEscalation") is not False:
        yield "privilege escalation"
    if "ALL" not in capabilities.get("drop", []) or set(capabilities.get("add", [])) - {"NET_BIND_SERVICE"}:
        yield "capabilities"
    if own.get("runAsNonRoot", pods.get("runAsNonRoot")) is not True:
        yield "running as non-root"
    if own.get("procMount", "Default") != "Default":
        yield "/proc mount type"
    if any(port.get("hostPort") for port in container.get("ports", [])):
        yield "host ports"
    if (own.get("seccompProfile") or pods.get("seccompProfile", {})).get("type") not in _PROFILES:
        yield "seccomp"
    yield from _of_context(own)


def _of_context(context: Fields) -> Iterator[str]:
    """What holds for a pod and a container alike."""
    if context.get("runAsUser") == 0:
        yield "running as non-root user"
    if context.get("windowsOptions", {}).get("hostProcess"):
        yield "host process"
    if context.get("appArmorProfile", {}).get("type", "RuntimeDefault") not in _PROFILES:
        yield "AppArmor"
    selinux = context.get("seLinuxOptions", {})
    if selinux.get("type", "") not in _SELINUX_TYPES or selinux.get("user") or selinux.get("role"):
        yield "SELinux"
    if context.get("seccompProfile", {}).get("type", "RuntimeDefault") not in _PROFILES:
        yield "seccomp"
