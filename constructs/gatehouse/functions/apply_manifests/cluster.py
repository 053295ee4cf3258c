"""Where a cluster of EKS is, and how one gets in."""

import base64
import functools
from time import monotonic, sleep
from typing import Any

from botocore.exceptions import ClientError

from gatehouse.functions.apply_manifests.cluster_token import new_token
from gatehouse.functions.apply_manifests.kubernetes_api import PERMISSION_SECONDS, KubernetesApi

_RETRY_SECONDS = 5.0


class ClusterGoneError(Exception):
    """There is no such cluster (any more)."""


def connect(session: Any, eks: Any, name: str, deadline: float) -> KubernetesApi:
    """The API of a cluster, which is not asked yet. Raises ClusterGoneError."""
    cluster = _describe(eks, name)
    if cluster["status"] == "DELETING" or "endpoint" not in cluster:
        raise ClusterGoneError(f"the cluster {name} is {cluster['status']}")
    authority = base64.b64decode(cluster["certificateAuthority"]["data"]).decode()
    return KubernetesApi(
        cluster["endpoint"], authority, functools.partial(new_token, session, name), deadline
    )


def _describe(eks: Any, name: str) -> dict[str, Any]:
    permitted_by = monotonic() + PERMISSION_SECONDS
    while True:
        try:
            cluster: dict[str, Any] = eks.describe_cluster(name=name)["cluster"]
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code == "ResourceNotFoundException":
                raise ClusterGoneError(f"there is no cluster {name}") from None
            if code != "AccessDeniedException" or monotonic() > permitted_by:
                raise
            sleep(_RETRY_SECONDS)
        else:
            return cluster
