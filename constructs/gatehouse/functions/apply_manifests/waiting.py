"""Waiting until the cluster has done what its objects ask for."""

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic, sleep
from typing import Any

from gatehouse.functions.apply_manifests.kubernetes_api import ApiError, KubernetesApi, Object
from gatehouse.functions.apply_manifests.ownership import describe
from gatehouse.functions.apply_manifests.pods import explain

POLL_SECONDS = 3.0
_JOB_LABEL = "batch.kubernetes.io/job-name"


class DeploymentError(Exception):
    """The cluster did not do what an object asks for; the message says why, as far as the cluster tells."""


@dataclass(frozen=True)
class Waiting:
    """Waits until a deadline, a monotonic time; `check` is called at each turn and may raise."""

    api: KubernetesApi
    deadline: float
    check: Callable[[], None] = lambda: None

    def for_job(self, job: Object) -> None:
        """Wait for a Job's end. Raises DeploymentError when it fails."""
        while True:
            found = self._found(job)
            if has_failed(found):
                raise DeploymentError(f"{describe(job)} failed ({self._why(found)})")
            if has_ended(found):
                return
            self._pause(job, found)

    def for_rollout(self, deployment: Object, before: Object | None) -> None:
        """Wait until every pod of a Deployment is of its newest kind and available.

        Raises DeploymentError when it is given up: no pod came nearer to that in the Deployment's own time.
        `before` is the Deployment before it was applied: what it told then, of an earlier rollout that was
        given up, it may still tell for a while.
        """
        told_before = {} if before is None else _condition(before, "Progressing")
        while not is_rolled_out(found := self._found(deployment)):
            told = _condition(found, "Progressing")
            if (
                told.get("reason") == "ProgressDeadlineExceeded"
                and _is_observed(found)
                and told != told_before
            ):
                raise DeploymentError(f"{describe(deployment)} is given up ({self._why(found)})")
            self._pause(deployment, found)

    def until_gone(self, manifest: Object) -> None:
        """Wait until an object is not there any more."""
        while (found := self.api.find(manifest)) is not None:
            finalizers = ", ".join(found["metadata"].get("finalizers", [])) or "nothing that it tells of"
            if monotonic() + POLL_SECONDS > self.deadline:
                raise DeploymentError(f"{describe(manifest)} is not gone yet: it waits for {finalizers}")
            sleep(POLL_SECONDS)

    def _found(self, manifest: Object) -> Object:
        self.check()
        found = self.api.find(manifest)
        if found is None:
            raise DeploymentError(f"{describe(manifest)} was removed by somebody else")
        return found

    def _pause(self, manifest: Object, found: Object) -> None:
        if monotonic() + POLL_SECONDS > self.deadline:
            raise DeploymentError(f"{describe(manifest)} takes too long ({self._why(found)})")
        sleep(POLL_SECONDS)

    def _why(self, found: Object) -> str:
        """What the object says of itself, and its pods of theirs if the cluster lets them be asked."""
        conditions = [c for c in found.get("status", {}).get("conditions", []) if c.get("message")]
        labels = {_JOB_LABEL: found["metadata"]["name"]}
        if found["kind"] == "Deployment":
            labels = found["spec"]["selector"]["matchLabels"]
        said = [f"{condition['type']}: {condition['message']}" for condition in conditions]
        try:
            said.append(explain(self.api, found["metadata"]["namespace"], labels))
        except ApiError as error:
            said.append(f"its pods tell nothing: {error}")
        return "\n".join(said)


def has_failed(job: Object) -> bool:
    """Whether a Job has come to an end without success."""
    return _is_true(job, "Failed")


def has_ended(job: Object) -> bool:
    """Whether a Job has come to an end."""
    return has_failed(job) or _is_true(job, "Complete")


def is_rolled_out(deployment: Object) -> bool:
    """Whether all pods of a Deployment are of its newest kind and available, and none is left of another."""
    status, wanted = deployment.get("status", {}), deployment["spec"]["replicas"]
    return (
        _is_observed(deployment)
        and status.get("updatedReplicas", 0) == wanted
        and status.get("replicas", 0) == wanted
        and status.get("availableReplicas", 0) >= wanted
    )


def _is_observed(deployment: Object) -> bool:
    """Whether the status is of what was applied, and not of what was there before."""
    observed: int = deployment.get("status", {}).get("observedGeneration", 0)
    generation: int = deployment["metadata"]["generation"]
    return observed >= generation


def _is_true(found: Object, condition: str) -> bool:
    return _condition(found, condition).get("status") == "True"


def _condition(found: Object, name: str) -> dict[str, Any]:
    conditions = found.get("status", {}).get("conditions", [])
    return next((condition for condition in conditions if condition["type"] == name), {})
