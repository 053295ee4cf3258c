"""What the cluster's controllers make of an object: its status, as a reader finds it."""

from collections.abc import Callable
from typing import Any

from local.kubernetes.server_side_apply import Object

# An object and how often it has been read since its spec changed → its status.
Controller = Callable[[Object, int], dict[str, Any]]


def complete(_job: Object, reads: int) -> dict[str, Any]:
    """A Job that is at work once, and has succeeded then."""
    if reads == 0:
        return {"active": 1}
    return {"succeeded": 1, "conditions": [{"type": "Complete", "status": "True"}]}


def fail(_job: Object, reads: int) -> dict[str, Any]:
    """A Job that is at work once, and has failed then."""
    if reads == 0:
        return {"active": 1}
    condition = {
        "type": "Failed",
        "status": "True",
        "reason": "BackoffLimitExceeded",
        "message": "Job has reached the specified backoff limit",
    }
    return {"failed": 1, "conditions": [condition]}


def roll_out(deployment: Object, reads: int) -> dict[str, Any]:
    """A Deployment that tells of what was before at first, has a pod in work then, and has all at last."""
    wanted, generation = deployment["spec"]["replicas"], deployment["metadata"]["generation"]
    if reads == 0:
        before: dict[str, Any] = deployment.get("status", {})
        return before
    if reads == 1:
        return {
            "observedGeneration": generation,
            "replicas": wanted + 1,
            "updatedReplicas": 1,
            "availableReplicas": wanted,
            "conditions": [_progressing("True", "ReplicaSetUpdated", "is progressing")],
        }
    return {
        "observedGeneration": generation,
        "replicas": wanted,
        "updatedReplicas": wanted,
        "availableReplicas": wanted,
        "readyReplicas": wanted,
        "conditions": [_progressing("True", "NewReplicaSetAvailable", "has successfully progressed")],
    }


def get_stuck(deployment: Object, reads: int) -> dict[str, Any]:
    """A Deployment none of whose new pods gets ready, which its controller gives up in time."""
    wanted, generation = deployment["spec"]["replicas"], deployment["metadata"]["generation"]
    status = {"observedGeneration": generation, "replicas": wanted + 1, "updatedReplicas": 1}
    if reads <= 1:
        return status | {"conditions": [_progressing("True", "ReplicaSetUpdated", "is progressing")]}
    return status | {
        "conditions": [_progressing("False", "ProgressDeadlineExceeded", "has timed out progressing")]
    }


def _progressing(status: str, reason: str, message: str) -> dict[str, Any]:
    said = f'ReplicaSet "new" {message}.'
    return {"type": "Progressing", "status": status, "reason": reason, "message": said}
