"""What the pods of an environment on Kubernetes use: nodes, their disks, and logs."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gatehouse.kubernetes.manifest import METADATA
from operations.assembly import Stack
from operations.cost.prices import TABLE, Instance, Prices
from operations.cost.quantities import Use
from operations.cost.traffic import Traffic
from operations.errors import WrongUsageError

# What a node keeps for itself and for the pods that run on each: EKS's agents, and those of logs and secrets.
_KEPT_VCPUS = 0.5
_KEPT_GIB = 1.2
# For add-ons, which have nodes of their own: metrics-server has two pods.
_ADD_ON_NODES = 2
# Of a node's data; EKS Auto Mode makes it as large unless its class says otherwise.
_DISK_GB = 80
ASSUMPTION = (
    "pods spread over the zones, nodes of the cheapest type that holds them, each with "
    f"{_KEPT_VCPUS:g} vCPU and {_KEPT_GIB:g} GiB for itself and a disk of {_DISK_GB} GB, {_ADD_ON_NODES} for "
    "add-ons"
)
_ARCHITECTURES = {"arm64": "arm64", "amd64": "x86_64"}
_GIB = {"Ki": 2**-20, "Mi": 2**-10, "Gi": 1.0}


@dataclass(frozen=True)
class _Pods:
    """The least number of pods, over how many zones, and what one of them asks for."""

    count: int
    zones: int
    vcpus: float
    gib: float


def pod_uses(stack: Stack, prices: Prices, traffic: Traffic) -> Iterator[Use]:
    """Yield what a stack's manifests ask for; no nodes where pods run on some that are there.

    Raises WrongUsageError if a pod is too large for any instance that has a price.
    """
    if METADATA not in stack.metadata:
        return
    yield Use(item="logs_gb", amount=traffic.requests * traffic.log_kb / 1e6)
    parts = json.loads(stack.metadata[METADATA])
    manifests: list[Mapping[str, Any]] = [*parts["prerequisites"], *parts["workload"]]
    pools = [each for each in manifests if each["kind"] == "NodePool"]
    if not pools:
        return
    spec = pools[0]["spec"]["template"]["spec"]
    requirements = {each["key"]: each["values"] for each in spec["requirements"]}
    (architecture,) = requirements["kubernetes.io/arch"]
    pods = _pods(manifests, zones=len(requirements["topology.kubernetes.io/zone"]))
    instance_type, count = _cheapest(pods, prices.instances[_ARCHITECTURES[architecture]])
    yield from _nodes(instance_type, count, prices)
    yield from _nodes(min(_all(prices), key=lambda name: _all(prices)[name].usd), _ADD_ON_NODES, prices)


def _all(prices: Prices) -> dict[str, Instance]:
    return {name: each for types in prices.instances.values() for name, each in types.items()}


def _nodes(instance_type: str, count: int, prices: Prices) -> Iterator[Use]:
    hours = count * prices.hours_a_month
    usd = _all(prices)[instance_type].usd
    yield Use(item=f"node {instance_type}", amount=hours, usd=usd)
    yield Use(item=f"auto mode {instance_type}", amount=hours, usd=usd * prices.auto_mode_share)
    yield Use(item="ebs_gp3_gb", amount=count * _DISK_GB)


def _cheapest(pods: _Pods, instances: Mapping[str, Instance]) -> tuple[str, int]:
    """The type of the nodes, and how many: a zone's share of the pods is on nodes of that zone."""
    shares = [(pods.count + zone) // pods.zones for zone in range(pods.zones)]
    nodes = {
        name: sum(math.ceil(share / fits) for share in shares)
        for name, instance in instances.items()
        if (fits := _fits(pods, instance)) > 0
    }
    if not nodes:
        raise WrongUsageError(
            f"a pod of {pods.vcpus:g} vCPUs and {pods.gib:g} GiB fits on none of {', '.join(instances)}: add "
            f"a larger one with its price to instances in {TABLE.name}"
        )
    chosen = min(nodes, key=lambda name: nodes[name] * instances[name].usd)
    return chosen, nodes[chosen]


def _fits(pods: _Pods, instance: Instance) -> int:
    by_cpu = (instance.vcpus - _KEPT_VCPUS) / pods.vcpus
    by_memory = (instance.gib - _KEPT_GIB) / pods.gib
    return math.floor(min(by_cpu, by_memory))


def _pods(manifests: Sequence[Mapping[str, Any]], *, zones: int) -> _Pods:
    (deployment,) = (each for each in manifests if each["kind"] == "Deployment")
    (scaling,) = (each for each in manifests if each["kind"] == "HorizontalPodAutoscaler")
    spec = deployment["spec"]["template"]["spec"]
    # Of the containers that start before the others, those that stay count as the others do.
    sidecars = [each for each in spec.get("initContainers", ()) if each.get("restartPolicy") == "Always"]
    requests = [each["resources"]["requests"] for each in (*spec["containers"], *sidecars)]
    return _Pods(
        count=scaling["spec"]["minReplicas"],
        zones=zones,
        vcpus=sum(_vcpus(each["cpu"]) for each in requests),
        gib=sum(_gib(each["memory"]) for each in requests),
    )


def _vcpus(quantity: str) -> float:
    return float(quantity.removesuffix("m")) / (1000 if quantity.endswith("m") else 1)


def _gib(quantity: str) -> float:
    return float(quantity[:-2]) * _GIB[quantity[-2:]]
