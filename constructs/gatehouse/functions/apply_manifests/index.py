"""A custom resource of CloudFormation: objects in a Kubernetes cluster.

Properties: Cluster (its name), Manifests (a JSON array of objects, in the order of their application), Alarms
(names of alarms on metrics). Creating and updating it applies the objects; what comes after a Job waits
for its end, and at last every Deployment is awaited. An update fails as well when one of the alarms goes off
until ALARM_SECONDS after that: CloudFormation then applies the objects of before.

What an update has no more use for is removed when the whole stack has been updated, and not before, so that
nothing is missing if it is taken back: each set of manifests is a resource of its own to CloudFormation,
which has the old one removed in the end. A mark on each object says to which set it belongs.
"""

import contextlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from time import monotonic
from typing import Any

import boto3

from gatehouse.functions import cloudformation
from gatehouse.functions.apply_manifests.alarms import Alarms
from gatehouse.functions.apply_manifests.cluster import ClusterGoneError, connect
from gatehouse.functions.apply_manifests.kubernetes_api import (
    ApiError,
    ImmutableFieldError,
    KubernetesApi,
    Object,
)
from gatehouse.functions.apply_manifests.ownership import Mark, describe
from gatehouse.functions.apply_manifests.waiting import DeploymentError, Waiting, has_ended, has_failed
from gatehouse.functions.cloudformation import Event
from gatehouse.functions.patience import TIME_LIMITS

ALARM_SECONDS = 120.0


@cloudformation.answered
def on_event(event: Event, context: Any) -> str:
    """Apply the manifests, or remove what was applied of them."""
    session = boto3.Session()
    deadline = cloudformation.deadline(context)
    properties = event["ResourceProperties"]
    mark = Mark.of(event, properties)
    is_removal = event["RequestType"] == "Delete"
    if not is_removal:
        # Also of a failure: what was applied before it is removed by this name.
        event["PhysicalResourceId"] = str(mark)
    try:
        eks = session.client("eks", config=TIME_LIMITS)
        api = connect(session, eks, properties["Cluster"], deadline)
    except ClusterGoneError as error:
        if is_removal:
            return f"nothing is left to remove: {error}"
        raise
    with contextlib.closing(api):
        manifests = ManifestSet(api, mark, json.loads(properties["Manifests"]), deadline)
        if is_removal:
            return manifests.remove()
        if cloudformation.is_taken_back(event):
            old = event["OldResourceProperties"]
            failed = ManifestSet(api, Mark.of(event, old), json.loads(old["Manifests"]), deadline)
            return manifests.take_back(failed)
        if event["RequestType"] == "Create" or not properties["Alarms"]:
            return manifests.apply()
        cloudwatch = session.client("cloudwatch", config=TIME_LIMITS)
        return manifests.apply_watching(Alarms(cloudwatch, properties["Alarms"]))


@dataclass(frozen=True)
class ManifestSet:
    """A set of manifests on its way into a cluster, or out of it, until a monotonic time."""

    api: KubernetesApi
    mark: Mark
    manifests: list[Object]
    deadline: float

    def apply(self) -> str:
        """Apply the manifests and wait for what they ask for."""
        self._apply(Waiting(self.api, self.deadline))
        return self._told()

    def apply_watching(self, alarms: Alarms) -> str:
        """Do so as long as no alarm goes off, and look at them for some time after it."""
        self._apply(Waiting(self.api, self.deadline - ALARM_SECONDS, alarms.check))
        alarms.watch(monotonic() + ALARM_SECONDS)
        unwatched = ", ".join(sorted(alarms.on_before))
        return self._told() + (f"; on before, and not watched: {unwatched}" if unwatched else "")

    def take_back(self, failed: "ManifestSet") -> str:
        """Apply the manifests again that were there before others that failed; remove what these added.

        No Job is started or awaited for it, no alarm counts, and what happens once all is applied is told and
        no failure: there is nothing further back that CloudFormation could go to.
        """
        waiting = Waiting(self.api, self.deadline)
        applied = []
        for manifest in self.manifests:
            if manifest["kind"] == "Job":
                self._keep(manifest)
            else:
                applied.append((manifest, self._apply_one(manifest)))
        try:
            _await_rollouts(waiting, applied)
            failed.remove()
        except (ApiError, DeploymentError) as error:
            return f"taken back, but: {error}"
        return f"taken back: {self._told()}"

    def remove(self) -> str:
        """Remove what carries the mark, last to first, each after what was applied after it is gone.

        But for Deployments, whose pods may end their answers for longer than this may take: they are awaited
        in the end, and go on going after it. Their namespace, where it goes too, waits for them.
        """
        waiting = Waiting(self.api, self.deadline)
        removed, going = 0, []
        for manifest in reversed(self.manifests):
            found = self.api.find(manifest)
            if found is not None and self.mark.is_on(found):
                self.api.remove(manifest)
                removed += 1
                if manifest["kind"] == "Deployment":
                    going.append(manifest)
                else:
                    waiting.until_gone(manifest)
        told = f"objects removed: {removed}"
        try:
            for deployment in going:
                waiting.until_gone(deployment)
        except DeploymentError as error:
            return f"{told}; {error}"
        return told

    def _apply(self, waiting: Waiting) -> None:
        applied = []
        for manifest in self.manifests:
            waiting.check()
            if manifest["kind"] == "Job":
                self._run(manifest, waiting)
            else:
                applied.append((manifest, self._apply_one(manifest)))
        _await_rollouts(waiting, applied)

    def _run(self, job: Object, waiting: Waiting) -> None:
        """Apply a Job and wait for its end.

        One that is there and has failed runs again: the deployment is tried again. So does one that has ended
        and was not quite this, by a value that CloudFormation has filled in: Kubernetes changes none.
        """
        try:
            found = self._apply_one(job)
            is_spent = found is not None and has_failed(found)
        except ImmutableFieldError:
            found = self.api.find(job)
            is_spent = found is not None and has_ended(found)
            if not is_spent:
                raise
        if is_spent:
            self.api.remove(job)
            waiting.until_gone(job)
            self._apply_one(job)
        waiting.for_job(job)

    def _keep(self, job: Object) -> None:
        """Take a Job over again; one that the failed manifests have replaced goes with them."""
        if self.api.find(job) is not None:
            with contextlib.suppress(ImmutableFieldError):
                self._apply_one(job)

    def _apply_one(self, manifest: Object) -> Object | None:
        """Apply an object; gives it as it was before."""
        found = self.api.find(manifest)
        self.api.apply(self.mark.put_on(manifest, found))
        print(json.dumps({"applied": describe(manifest)}))
        return found

    def _told(self) -> str:
        return f"objects applied: {len(self.manifests)}"


def _await_rollouts(waiting: Waiting, applied: Iterable[tuple[Object, Object | None]]) -> None:
    for manifest, before in applied:
        if manifest["kind"] == "Deployment":
            waiting.for_rollout(manifest, before)
