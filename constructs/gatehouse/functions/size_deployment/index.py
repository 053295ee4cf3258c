"""A step of a recovery plan: how many pods a Deployment in a cluster of EKS has at the least.

Variables: CLUSTER, NAMESPACE, DEPLOYMENT (its autoscaler has the same name), POD_LABELS (a JSON object),
MINIMUM. With 0 the Deployment ends its pods and gets no new ones: its autoscaler lets go of it then. The step
waits until the last pod is gone, after it has ended its answers. Otherwise missing pods are started, and not
waited for.

Called twice it does the same, and what it is called with does not matter.
"""

import contextlib
import json
import os
from time import monotonic
from typing import Any

import boto3

from gatehouse.functions.apply_manifests.cluster import connect
from gatehouse.functions.apply_manifests.kubernetes_api import KubernetesApi
from gatehouse.functions.patience import TIME_LIMITS
from gatehouse.functions.waiting import RESERVED_SECONDS, wait_until


def on_event(_event: Any, context: Any) -> dict[str, int]:
    """Size the Deployment; gives how many pods it wants. Raises NotYetError while pods are still ending."""
    session = boto3.Session()
    eks = session.client("eks", config=TIME_LIMITS)
    deadline = monotonic() + context.get_remaining_time_in_millis() / 1000 - RESERVED_SECONDS
    with contextlib.closing(connect(session, eks, os.environ["CLUSTER"], deadline)) as api:
        return {"wanted": size(api, context)}


def size(api: KubernetesApi, context: Any) -> int:
    """Size the Deployment through a cluster's API."""
    minimum = int(os.environ["MINIMUM"])
    if minimum == 0:
        wanted = api.scale(_object("apps/v1", "Deployment"), lambda _before: 0)
        wait_until(lambda: _still_there(api), context)
        return wanted
    # Before the count: the autoscaler takes a Deployment up again that has any pods.
    api.merge(_object("autoscaling/v2", "HorizontalPodAutoscaler"), {"spec": {"minReplicas": minimum}})
    return api.scale(_object("apps/v1", "Deployment"), lambda before: max(before, minimum))


def _still_there(api: KubernetesApi) -> str | None:
    pods = api.pods(os.environ["NAMESPACE"], json.loads(os.environ["POD_LABELS"]))
    return f"pods that still end: {len(pods)}" if pods else None


def _object(api_version: str, kind: str) -> dict[str, Any]:
    metadata = {"namespace": os.environ["NAMESPACE"], "name": os.environ["DEPLOYMENT"]}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata}
