"""The pods that serve."""

import json

from lightkube.models import apps_v1 as apps
from lightkube.models import core_v1 as core
from lightkube.models import meta_v1 as meta

from gatehouse import collector
from gatehouse.kubernetes import probes
from gatehouse.kubernetes.containers import resources, security, variables
from gatehouse.kubernetes.draining import Draining, draining
from gatehouse.kubernetes.manifest import Manifest, labels
from gatehouse.kubernetes.pods import image_container, image_pod
from gatehouse.kubernetes.workload_inputs import GATEWAY, Workload, selector

# More pods for the time of a rollout, and never fewer.
SURGE = "25%"
# How long a pod has to stay ready before the next old one goes.
MIN_READY_SECONDS = 15
# Without any progress for so long a rollout has failed: time for a new node and for pulling the image.
PROGRESS_DEADLINE_SECONDS = 300
# A share is no limit on ECS. With that alone the collector would take most of a minute to start, and answer
# its probe late; and a pod whose collector does not run is not ready.
COLLECTOR_MOST_CPU_UNITS = 256
ZONE = "topology.kubernetes.io/zone"
NODE = "kubernetes.io/hostname"


def deployment(workload: Workload) -> Manifest:
    """Keeps the pods running; how many is for the autoscaler to say."""
    return apps.Deployment(
        metadata=workload.metadata(GATEWAY, GATEWAY),
        spec=apps.DeploymentSpec(
            selector=meta.LabelSelector(matchLabels=selector(GATEWAY)),
            strategy=apps.DeploymentStrategy(
                type="RollingUpdate",
                rollingUpdate=apps.RollingUpdateDeployment(maxSurge=SURGE, maxUnavailable=0),
            ),
            minReadySeconds=MIN_READY_SECONDS,
            progressDeadlineSeconds=PROGRESS_DEADLINE_SECONDS,
            revisionHistoryLimit=3,
            template=core.PodTemplateSpec(
                metadata=meta.ObjectMeta(labels=labels(GATEWAY, GATEWAY)), spec=_pod(workload)
            ),
        ),
    ).to_dict()


def _pod(workload: Workload) -> core.PodSpec:
    profile = workload.profile
    drain = draining(profile, drain_seconds=workload.drain_seconds)
    pod = image_pod(workload, GATEWAY, profile.container, _gateway(workload, drain))
    pod.terminationGracePeriodSeconds = drain.grace
    pod.topologySpreadConstraints = _spread(workload)
    if workload.collector_image_uri is not None:
        pod.initContainers = [_collector(workload, workload.collector_image_uri)]
    return pod


def _gateway(workload: Workload, drain: Draining) -> core.Container:
    profile = workload.profile
    cpu_units, memory_mib = workload.cpu_units, workload.memory_mib
    if workload.collector_image_uri is not None:
        cpu_units, memory_mib = cpu_units - collector.CPU_UNITS, memory_mib - collector.MEMORY_MIB
    container = image_container(
        workload,
        GATEWAY,
        profile.container,
        cpu_units=cpu_units,
        memory_mib=memory_mib,
        environment=drain.variables,
        secrets_variable=profile.secrets_variable,
    )
    container.ports = [core.ContainerPort(name=probes.PORT, containerPort=profile.port)]
    container.startupProbe = probes.startup(profile)
    container.livenessProbe = probes.liveness(profile)
    container.readinessProbe = probes.readiness(profile)
    # By kubelet itself, for images without a shell.
    leave = core.LifecycleHandler(sleep=core.SleepAction(seconds=drain.before_stop))
    container.lifecycle = core.Lifecycle(preStop=leave)
    return container


def _collector(workload: Workload, image_uri: str) -> core.Container:
    """A sidecar: it starts before the gateway and outlives it, whose last metrics are collected, too."""
    # JSON is YAML, which is what the collector reads.
    configuration = json.dumps(workload.collector_configuration, separators=(",", ":"))
    return core.Container(
        name=collector.CONTAINER,
        image=image_uri,
        restartPolicy="Always",
        env=variables({collector.VARIABLE: configuration}, region=workload.region),
        resources=resources(
            cpu_units=collector.CPU_UNITS,
            memory_mib=collector.MEMORY_MIB,
            most_cpu_units=COLLECTOR_MOST_CPU_UNITS,
        ),
        securityContext=security(collector.USER),
        livenessProbe=probes.collector_liveness(),
    )


def _spread(workload: Workload) -> list[core.TopologySpreadConstraint]:
    """Over zones as far as there are nodes: when a zone fails, pods have to start in the others.

    Own nodes are added as pods need them, each in the zone that has the fewest. So the first pods wait for as
    many nodes as there are zones instead of sharing the one that is there first.
    """
    zones = _constraint(ZONE, "ScheduleAnyway")
    if not workload.has_own_nodes:
        return [zones, _constraint(NODE, "ScheduleAnyway")]
    nodes = _constraint(NODE, "DoNotSchedule")
    nodes.minDomains = min(len(workload.zones), workload.minimum_pods)
    # What adds nodes counts from none, however many pods others have (Karpenter): with 1 each of many pods
    # would get a node to itself.
    nodes.maxSkew = workload.minimum_pods // nodes.minDomains
    return [zones, nodes]


def _constraint(topology_key: str, when_unsatisfiable: str) -> core.TopologySpreadConstraint:
    return core.TopologySpreadConstraint(
        maxSkew=1,
        topologyKey=topology_key,
        whenUnsatisfiable=when_unsatisfiable,
        labelSelector=meta.LabelSelector(matchLabels=selector(GATEWAY)),
        # Each version for itself: the pods of the old one are about to go.
        matchLabelKeys=["pod-template-hash"],
        # A node that takes no pods any more does not count.
        nodeTaintsPolicy="Honor",
    )
