"""How the gateway's pods get into the load balancer's target group."""

from lightkube.models import core_v1 as core

from gatehouse.kubernetes import probes
from gatehouse.kubernetes.manifest import Manifest
from gatehouse.kubernetes.workload_inputs import GATEWAY, Workload, selector

# Whose the kind is: EKS Auto Mode's own, or the AWS Load Balancer Controller's.
_API_VERSIONS = {"auto-mode": "eks.amazonaws.com/v1", "controller": "elbv2.k8s.aws/v1beta1"}
_PORT = 80


def service(workload: Workload) -> Manifest:
    """The pods by a name, which a binding needs; the network policies let nobody else in."""
    return core.Service(
        metadata=workload.metadata(GATEWAY, GATEWAY),
        spec=core.ServiceSpec(
            type="ClusterIP",
            selector=selector(GATEWAY),
            ports=[core.ServicePort(name=probes.PORT, port=_PORT, targetPort=probes.PORT, protocol="TCP")],
        ),
    ).to_dict()


def target_group_binding(workload: Workload) -> Manifest:
    """Registers each pod by its address, and takes it out as it goes.

    It says nothing of networking: which security group admits the load balancer is the platform's to say.
    """
    return {
        "apiVersion": _API_VERSIONS[workload.cluster.load_balancing],
        "kind": "TargetGroupBinding",
        # By the port, for another one makes another target group, and a binding stays with its own for ever.
        "metadata": workload.metadata(f"{GATEWAY}-{workload.profile.port}", GATEWAY).to_dict(),
        "spec": {
            "targetGroupARN": workload.target_group_arn,
            "targetType": "ip",
            "serviceRef": {"name": GATEWAY, "port": _PORT},
        },
    }
