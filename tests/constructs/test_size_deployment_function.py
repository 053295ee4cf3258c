"""The function that sizes a Deployment: it fences a region, opens it and makes a standby of it."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from gatehouse.functions.apply_manifests.kubernetes_api import ApiError, KubernetesApi
from gatehouse.functions.size_deployment import index
from gatehouse.functions.waiting import NotYetError
from tests.constructs.custom_resources import Context
from tests.constructs.step_functions import Step

LABELS = {"app.kubernetes.io/name": "gateway", "app.kubernetes.io/component": "gateway"}
SCALE = "/apis/apps/v1/namespaces/gatehouse/deployments/gateway/scale"
AUTOSCALER = "/apis/autoscaling/v2/namespaces/gatehouse/horizontalpodautoscalers/gateway"
PODS = "/api/v1/namespaces/gatehouse/pods"


class Cluster(KubernetesApi):
    """A cluster's API without its network; of pods that are too many one is gone at each look."""

    def __init__(self, *, wanted: int, stuck: bool = False) -> None:
        self.wanted, self.pods_left, self.stuck = wanted, wanted, stuck
        self.changes: list[tuple[str, Any]] = []
        self._resources = {
            ("apps/v1", "Deployment"): ("deployments", True),
            ("autoscaling/v2", "HorizontalPodAutoscaler"): ("horizontalpodautoscalers", True),
        }

    def _call(self, method: str, path: str, body: Any = None, content_type: str = "") -> tuple[int, bytes]:
        answers: dict[tuple[str, str], Callable[[Any], Any]] = {
            ("GET", SCALE): lambda _: {
                "kind": "Scale",
                "spec": {"replicas": self.wanted} if self.wanted else {},
            },
            ("PUT", SCALE): self._scale,
            ("PATCH", AUTOSCALER): lambda change: self.changes.append(("autoscaler", change)),
            ("GET", PODS): lambda _: {"items": self._look()},
        }
        place, _, query = path.partition("?")
        assert (place == PODS) == ("labelSelector=app.kubernetes.io" in query)
        assert (method == "PATCH") == (content_type == "application/merge-patch+json")
        return 200, json.dumps(answers[method, place](body)).encode()

    def _scale(self, scale: Any) -> None:
        assert scale["kind"] == "Scale"
        self.wanted = scale["spec"]["replicas"]
        self.changes.append(("scale", self.wanted))

    def _look(self) -> list[Any]:
        pods: list[Any] = [{}] * self.pods_left
        if self.pods_left > self.wanted and not self.stuck:
            self.pods_left -= 1
        return pods


def _size(monkeypatch: pytest.MonkeyPatch, cluster: Cluster, minimum: int) -> int:
    variables = {
        "NAMESPACE": "gatehouse",
        "DEPLOYMENT": "gateway",
        "POD_LABELS": json.dumps(LABELS),
        "MINIMUM": str(minimum),
    }
    return index.size(cluster, Context(Step(index, variables, monkeypatch).clock))


def test_a_fence_waits_until_the_last_pod_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its autoscaler lets go of a Deployment that wants none."""
    cluster = Cluster(wanted=4)
    assert _size(monkeypatch, cluster, 0) == 0
    assert cluster.changes == [("scale", 0)]
    assert cluster.pods_left == 0


def test_a_fence_says_what_is_still_there_before_lambda_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotYetError, match="pods that still end: 4"):
        _size(monkeypatch, Cluster(wanted=4, stuck=True), 0)


def test_a_fence_that_stands_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(wanted=0)
    assert _size(monkeypatch, cluster, 0) == 0
    assert cluster.changes == []


def test_an_open_region_has_a_full_ones_size_at_the_least(monkeypatch: pytest.MonkeyPatch) -> None:
    """The autoscaler first: it would take what is beyond its minimum away again."""
    cluster = Cluster(wanted=2)
    assert _size(monkeypatch, cluster, 6) == 6
    assert cluster.changes == [("autoscaler", {"spec": {"minReplicas": 6}}), ("scale", 6)]


def test_what_runs_beyond_that_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(wanted=23)
    assert _size(monkeypatch, cluster, 6) == 23
    assert cluster.changes == [("autoscaler", {"spec": {"minReplicas": 6}})]


def test_a_fenced_region_becomes_a_standby_again(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = Cluster(wanted=0)
    assert _size(monkeypatch, cluster, 2) == 2
    assert cluster.wanted == 2


def test_a_deployment_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    class Empty(Cluster):
        def _call(self, *_: Any, **__: Any) -> tuple[int, bytes]:
            return 404, b'{"message": "deployments.apps \\"gateway\\" not found"}'

    with pytest.raises(ApiError, match='"gateway" not found'):
        _size(monkeypatch, Empty(wanted=1), 0)
