"""Every pod keeps the restricted Pod Security Standard, and a pod that does not is found."""

import json
from typing import Any

import pytest

from gatehouse.kubernetes.workload import prerequisites
from tests.kubernetes.pod_security import breaches
from tests.kubernetes.workloads import (
    PROFILES,
    deployed_pod,
    every_manifest,
    on_an_existing_cluster,
    only,
    pod_of,
    workload,
)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("make", [workload, on_an_existing_cluster])
def test_every_pod_is_restricted(profile: str, make: Any) -> None:
    pods = [pod_of(each) for each in every_manifest(make(profile)) if each["kind"] in {"Deployment", "Job"}]
    assert pods
    assert [breaches(pod) for pod in pods] == [[] for _ in pods]


def test_kubernetes_enforces_it() -> None:
    labels = only(prerequisites(workload()), "Namespace")["metadata"]["labels"]
    modes = {name.split("/")[1]: value for name, value in labels.items() if "pod-security" in name}
    assert modes == {"enforce": "restricted", "audit": "restricted", "warn": "restricted"}


CONTAINER, SIDECAR = ("containers", 0), ("initContainers", 0)
# Each removes or sets one thing of a pod that is restricted, and names the control that has to notice.
BREAKAGES: list[tuple[tuple[Any, ...], Any, str]] = [
    (("hostNetwork",), True, "host namespaces: hostNetwork"),
    (("hostPID",), True, "host namespaces: hostPID"),
    (("hostIPC",), True, "host namespaces: hostIPC"),
    (("volumes", 0), {"name": "node", "hostPath": {"path": "/"}}, "volume types: node"),
    (("volumes", 0), {"name": "share", "nfs": {"server": "a", "path": "/"}}, "volume types: share"),
    (("securityContext", "sysctls"), [{"name": "kernel.msgmax", "value": "1"}], "sysctls: kernel.msgmax"),
    (("securityContext", "seccompProfile"), None, "seccomp: gateway"),
    (("securityContext", "seccompProfile", "type"), "Unconfined", "seccomp: pod"),
    (("securityContext", "runAsNonRoot"), None, "running as non-root: gateway"),
    (("securityContext", "runAsUser"), 0, "running as non-root user: pod"),
    (("securityContext", "appArmorProfile"), {"type": "Unconfined"}, "AppArmor: pod"),
    (("securityContext", "seLinuxOptions"), {"user": "root"}, "SELinux: pod"),
    ((*CONTAINER, "securityContext", "privileged"), True, "privileged containers: gateway"),
    ((*CONTAINER, "securityContext", "allowPrivilegeEscalation"), None, "privilege escalation: gateway"),
    ((*SIDECAR, "securityContext", "allowPrivilegeEscalation"), True, "privilege escalation: collector"),
    ((*CONTAINER, "securityContext", "capabilities"), None, "capabilities: gateway"),
    ((*CONTAINER, "securityContext", "capabilities", "drop"), ["NET_RAW"], "capabilities: gateway"),
    ((*SIDECAR, "securityContext", "capabilities", "add"), ["SYS_ADMIN"], "capabilities: collector"),
    ((*CONTAINER, "securityContext", "runAsNonRoot"), False, "running as non-root: gateway"),
    ((*CONTAINER, "securityContext", "runAsUser"), 0, "running as non-root user: gateway"),
    ((*CONTAINER, "securityContext", "procMount"), "Unmasked", "/proc mount type: gateway"),
    ((*CONTAINER, "securityContext", "seccompProfile"), {"type": "Unconfined"}, "seccomp: gateway"),
    ((*CONTAINER, "securityContext", "windowsOptions"), {"hostProcess": True}, "host process: gateway"),
    ((*CONTAINER, "securityContext", "seLinuxOptions"), {"type": "spc_t"}, "SELinux: gateway"),
    ((*CONTAINER, "ports", 0, "hostPort"), 80, "host ports: gateway"),
    ((*CONTAINER, "securityContext"), None, "privilege escalation: gateway"),
]


@pytest.mark.parametrize(("path", "value", "control"), BREAKAGES, ids=lambda each: str(each)[:60])
def test_what_breaks_it_is_found(path: tuple[Any, ...], value: Any, control: str) -> None:
    pod = json.loads(json.dumps(deployed_pod(workload())))
    *parents, last = path
    place = pod
    for parent in parents:
        place = place[parent]
    if value is None:
        del place[last]
    else:
        place[last] = value
    assert control in breaches(pod)


def test_a_pod_that_says_nothing_of_security_breaks_all_that_must_be_said() -> None:
    assert breaches({"containers": [{"name": "bare"}]}) == [
        "privilege escalation: bare",
        "capabilities: bare",
        "running as non-root: bare",
        "seccomp: bare",
    ]
