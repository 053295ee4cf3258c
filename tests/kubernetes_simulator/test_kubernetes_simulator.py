"""The simulated cluster answers a client of Kubernetes, and refuses what Kubernetes refuses."""

from typing import Any

import pytest
from lightkube import ApiError, Client
from lightkube.generic_resource import create_global_resource
from lightkube.models.apps_v1 import DeploymentSpec
from lightkube.models.batch_v1 import JobSpec
from lightkube.models.core_v1 import Container, EnvVar, PodSpec, PodTemplateSpec
from lightkube.models.meta_v1 import LabelSelector, ObjectMeta
from lightkube.resources.apps_v1 import Deployment
from lightkube.resources.batch_v1 import Job
from lightkube.resources.core_v1 import ConfigMap, Namespace, Pod
from lightkube.types import CascadeType, PatchType

from local.kubernetes import controllers
from local.kubernetes.cluster import APPLY, Cluster, Fault, Request
from local.kubernetes.errors import StatusError
from local.kubernetes.server import ApiServer
from local.kubernetes.server_side_apply import ConflictError, merge
from tests.kubernetes_simulator.conftest import connected

CONFIG_MAP = "/api/v1/namespaces/gatehouse/configmaps/settings"


def _pods(*variables: EnvVar, label: str = "gateway") -> PodTemplateSpec:
    return PodTemplateSpec(
        metadata=ObjectMeta(labels={"app": label}),
        spec=PodSpec(containers=[Container(name="gateway", image="gateway:1", env=list(variables) or None)]),
    )


def _deployment(*variables: EnvVar, selector: str = "gateway", label: str = "gateway") -> Deployment:
    return Deployment(
        metadata=ObjectMeta(name="gateway", namespace="gatehouse", labels={"app": "gateway"}),
        spec=DeploymentSpec(
            selector=LabelSelector(matchLabels={"app": selector}), template=_pods(*variables, label=label)
        ),
    )


def _job(image: str = "gateway:1") -> Job:
    template = PodTemplateSpec(
        spec=PodSpec(containers=[Container(name="migrations", image=image)], restartPolicy="Never")
    )
    return Job(metadata=ObjectMeta(name="migrations", namespace="gatehouse"), spec=JobSpec(template=template))


@pytest.fixture
def namespace(client: Client) -> Namespace:
    return client.apply(Namespace(metadata=ObjectMeta(name="gatehouse")))


def _status(caught: pytest.ExceptionInfo[ApiError]) -> tuple[int | None, str | None]:
    return caught.value.status.code, caught.value.status.reason


def test_a_client_applies_gets_lists_and_deletes(
    client: Client, cluster: Cluster, namespace: Namespace
) -> None:
    applied = client.apply(_deployment())
    assert applied.metadata is not None
    assert applied.metadata.generation == 1
    assert applied.spec is not None
    assert applied.spec.replicas == 1
    assert [d.metadata.name for d in client.list(Deployment, labels={"app": "gateway"}) if d.metadata] == [
        "gateway"
    ]
    assert list(client.list(Deployment, labels={"app": "other"})) == []
    client.delete(Deployment, "gateway", cascade=CascadeType.FOREGROUND)
    removing = client.get(Deployment, "gateway").metadata
    assert removing is not None
    assert removing.deletionTimestamp is not None
    assert removing.finalizers == ["foregroundDeletion"]
    with pytest.raises(ApiError) as caught:
        client.get(Deployment, "gateway")
    assert _status(caught) == (404, "NotFound")


def test_a_status_moves_as_its_controller_says(
    client: Client, cluster: Cluster, namespace: Namespace
) -> None:
    cluster.controllers["Job"] = controllers.fail
    client.apply(_job())
    first, second = (client.get(Job, "migrations").status for _ in range(2))
    assert first is not None
    assert second is not None
    assert (first.active, second.failed) == (1, 1)


def test_a_status_tells_of_the_time_before_at_first(client: Client, namespace: Namespace) -> None:
    client.apply(_deployment())
    for _ in range(3):
        client.get(Deployment, "gateway")
    client.apply(_deployment(EnvVar(name="LEVEL", value="info")))
    found = client.get(Deployment, "gateway")
    assert found.metadata is not None
    assert found.status is not None
    assert (found.metadata.generation, found.status.observedGeneration) == (2, 1)


def test_logs_are_told(client: Client, cluster: Cluster) -> None:
    cluster.logs["gateway-1", "gateway", False] = ["one", "two"]
    assert list(client.log("gateway-1", container="gateway", tail_lines=1)) == ["two\n"]
    with pytest.raises(ApiError) as caught:
        list(client.log("gateway-1", container="other"))
    assert _status(caught) == (400, "BadRequest")


def test_a_namespace_takes_all_in_it_along(client: Client, cluster: Cluster, namespace: Namespace) -> None:
    client.apply(_deployment())
    client.delete(Namespace, "gatehouse")
    with pytest.raises(ApiError) as caught:
        client.apply(ConfigMap(metadata=ObjectMeta(name="settings", namespace="gatehouse")))
    assert _status(caught) == (403, "Forbidden")
    client.get(Namespace, "gatehouse")
    with pytest.raises(ApiError):
        client.get(Namespace, "gatehouse")
    assert cluster.names() == set()


def test_custom_resources_are_known(client: Client, cluster: Cluster) -> None:
    pools = create_global_resource("karpenter.sh", "v1", "NodePool", "nodepools")
    client.apply(pools(metadata=ObjectMeta(name="gateway"), spec={"weight": 10}))
    assert client.get(pools, "gateway")["spec"] == {"weight": 10}


def test_fields_of_a_job_and_a_selector_do_not_change(client: Client, namespace: Namespace) -> None:
    client.apply(_job())
    with pytest.raises(ApiError, match="field is immutable") as caught:
        client.apply(_job("gateway:2"))
    assert _status(caught) == (422, "Invalid")
    client.apply(_deployment())
    with pytest.raises(ApiError, match="field is immutable"):
        client.apply(_deployment(selector="other", label="other"))


def test_a_selector_has_to_find_its_pods(client: Client, namespace: Namespace) -> None:
    with pytest.raises(ApiError, match="`selector` does not match template `labels`"):
        client.apply(_deployment(label="other"))


def test_an_unknown_caller_is_refused(server: ApiServer, cluster: Cluster) -> None:
    with connected(server, "another") as client, pytest.raises(ApiError) as caught:
        list(client.list(Pod, namespace="gatehouse"))
    assert _status(caught) == (401, "Unauthorized")
    assert cluster.requests == []


def test_other_ways_to_write_are_refused(client: Client, namespace: Namespace) -> None:
    with pytest.raises(ApiError) as caught:
        client.create(_deployment())
    assert _status(caught) == (405, "MethodNotAllowed")
    with pytest.raises(ApiError) as caught:
        client.patch(Namespace, "gatehouse", {"metadata": {"labels": {"a": "b"}}}, patch_type=PatchType.MERGE)
    assert _status(caught) == (415, "UnsupportedMediaType")


def _patch(body: Any, content_type: str = APPLY, **query: str) -> Request:
    return Request("PATCH", CONFIG_MAP, {"fieldManager": "gatehouse"} | query, content_type, body)


def _config_map(**more: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, **more}


@pytest.mark.parametrize(
    ("request_", "code", "said"),
    [
        (_patch({"kind": "ConfigMap", "metadata": {"name": "settings"}}), 400, "does not match"),
        (_patch(_config_map(metadata={"name": "another"})), 400, "does not match the URL"),
        (_patch(_config_map(metadata={"name": "settings", "namespace": "other"})), 400, "the namespace"),
        (_patch(_config_map(metadata={"name": "settings", "managedFields": []})), 400, "must be nil"),
        (_patch(_config_map(metadata={"name": "settings", "labels": {"a": "b c"}})), 422, "labels"),
        (_patch([]), 400, "not an object"),
        (_patch(_config_map(), fieldManager=""), 400, "fieldManager"),
        (_patch(_config_map(), content_type="application/json"), 415, "only apply"),
        (_patch(_config_map(dat={"a": "b"})), 500, "failed to create typed patch object"),
        (_patch(_config_map(data={"a": 1})), 500, "failed to create typed patch object"),
        (Request("GET", "/apis/example.com/v1", {}), 404, "could not find"),
        (Request("GET", CONFIG_MAP, {}), 404, '"settings" not found'),
        (Request("DELETE", CONFIG_MAP, {}), 404, '"settings" not found'),
    ],
)
def test_what_makes_no_sense_is_refused(cluster: Cluster, request_: Request, code: int, said: str) -> None:
    cluster.add({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "gatehouse"}})
    with pytest.raises(StatusError, match=said) as caught:
        cluster.answer(request_)
    assert caught.value.code == code
    assert "ConfigMap settings" not in cluster.names()


def test_a_namespace_has_to_be_there(cluster: Cluster) -> None:
    with pytest.raises(StatusError, match='namespaces "gatehouse" not found'):
        cluster.answer(_patch(_config_map()))


def test_ordered_faults_come_as_often_as_ordered(client: Client, cluster: Cluster) -> None:
    cluster.faults.append(Fault("^GET .*/pods$", 429, times=2))
    for _ in range(2):
        with pytest.raises(ApiError) as caught:
            list(client.list(Pod, namespace="gatehouse"))
        assert caught.value.status.code == 429
    assert list(client.list(Pod, namespace="gatehouse")) == []


def test_apply_merges_what_its_managers_want() -> None:
    ours = {"spec": {"containers": [{"name": "gateway", "env": [{"name": "A", "value": "1"}]}]}}
    live, owners = merge({}, ours, {}, "gatehouse", force=False)
    injected = {"spec": {"containers": [{"name": "sidecar", "image": "sidecar:1"}]}}
    live, owners = merge(live, injected, owners, "injector", force=False)
    assert [container["name"] for container in live["spec"]["containers"]] == ["gateway", "sidecar"]
    without = {"spec": {"containers": [{"name": "gateway", "image": "gateway:2"}]}}
    live, owners = merge(live, without, owners, "gatehouse", force=False)
    assert live["spec"]["containers"] == [
        {"name": "gateway", "image": "gateway:2"},
        {"name": "sidecar", "image": "sidecar:1"},
    ]
    live, owners = merge(live, {"spec": {}}, owners, "gatehouse", force=False)
    assert live["spec"]["containers"] == [{"name": "sidecar", "image": "sidecar:1"}]


def test_apply_asks_before_it_takes_another_s_field() -> None:
    live, owners = merge({}, {"data": {"level": "debug"}}, {}, "somebody", force=False)
    with pytest.raises(ConflictError, match=r'conflict with "somebody": \.data\.level'):
        merge(live, {"data": {"level": "info"}}, owners, "gatehouse", force=False)
    live, owners = merge(live, {"data": {"level": "info"}}, owners, "gatehouse", force=True)
    assert live == {"data": {"level": "info"}}
    assert owners["somebody"] == set()
