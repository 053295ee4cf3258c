"""Why pods are not what they should be, in few words."""

from collections.abc import Iterator, Mapping
from typing import Any

from gatehouse.functions.apply_manifests.kubernetes_api import KubernetesApi, Object

# CloudFormation's answer is short.
_MOST_PODS = 2
_LAST_LINES = 3
_LONGEST_LINE = 400


def explain(api: KubernetesApi, namespace: str, labels: Mapping[str, str]) -> str:
    """What keeps the newest pods that have these labels from being ready, with the end of their logs."""
    troubled = [pod for pod in api.pods(namespace, labels) if _is_troubled(pod)]
    troubled.sort(key=lambda pod: str(pod["metadata"].get("creationTimestamp", "")), reverse=True)
    said = [
        f"pod {pod['metadata']['name']}: {'; '.join(_problems(api, pod))}" for pod in troubled[:_MOST_PODS]
    ]
    return "\n".join(said) or "no pod tells why"


def _is_troubled(pod: Object) -> bool:
    if pod["metadata"].get("deletionTimestamp") or pod["status"].get("phase") == "Succeeded":
        return False
    return _condition(pod, "Ready").get("status") != "True"


def _problems(api: KubernetesApi, pod: Object) -> Iterator[str]:
    status = pod["status"]
    yield f"phase {status.get('phase', 'unknown')}"
    for word in (status.get("reason"), status.get("message")):
        if word:
            yield str(word)[:_LONGEST_LINE]
    scheduled = _condition(pod, "PodScheduled")
    if scheduled.get("status") == "False":
        yield f"{scheduled.get('reason')}: {scheduled.get('message')}"[:_LONGEST_LINE]
    for container in [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]:
        yield from _problems_of_container(api, pod, container)
    for gate in pod["spec"].get("readinessGates", []):
        condition = _condition(pod, gate["conditionType"])
        if condition.get("status") != "True":
            reason = condition.get("message") or condition.get("reason") or "not told yet"
            yield f"readiness gate {gate['conditionType']}: {reason}"[:_LONGEST_LINE]


def _problems_of_container(api: KubernetesApi, pod: Object, container: Object) -> Iterator[str]:
    name, state = container["name"], container.get("state", {})
    waiting = state.get("waiting", {})
    ended = state.get("terminated") or container.get("lastState", {}).get("terminated", {})
    if waiting.get("reason") not in (None, "ContainerCreating", "PodInitializing"):
        yield f"container {name}: {waiting['reason']} {waiting.get('message', '')}".strip()[:_LONGEST_LINE]
    elif "running" in state and not container.get("ready"):
        yield f"container {name} runs and is not ready"
    if ended.get("exitCode"):
        yield f"container {name} ended with exit code {ended['exitCode']} ({ended.get('reason', 'untold')})"
        lines = api.log_lines(pod, name, previous="terminated" not in state, lines=_LAST_LINES)
        if lines:
            yield "\n".join(["its log ends:", *(line[:_LONGEST_LINE] for line in lines)])


def _condition(pod: Object, name: str) -> dict[str, Any]:
    conditions = pod["status"].get("conditions", [])
    return next((condition for condition in conditions if condition["type"] == name), {})
