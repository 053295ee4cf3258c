"""The pods that serve: what they run, what they may, where they are and how they are replaced."""

import json
import math
from typing import Any

import pytest

from gatehouse import collector
from gatehouse.kubernetes.containers import literal
from gatehouse.kubernetes.workload import gateway
from gatehouse.profiles import litellm
from tests.constructs.conftest import REGION
from tests.kubernetes.workloads import (
    COLLECTOR,
    IMAGE,
    PROFILES,
    deployed_container,
    deployed_pod,
    on_an_existing_cluster,
    only,
    values_of,
    workload,
)


def _deployment(profile: str = "gatehouse") -> dict[str, Any]:
    spec: dict[str, Any] = only(gateway(workload(profile)), "Deployment")["spec"]
    return spec


def test_the_container_is_the_image_with_its_variables() -> None:
    container = deployed_container(workload())
    assert (container["name"], container["image"]) == ("gateway", IMAGE)
    assert "command" not in container
    assert "args" not in container
    values = values_of(container)
    assert values["GATEWAY_CACHE_HOST"] == "cache.example.com"
    assert container["ports"] == [{"name": "http", "containerPort": 8080}]


@pytest.mark.parametrize("profile", PROFILES)
def test_the_aws_sdks_find_their_region(profile: str) -> None:
    # ECS sets both in every task; some SDKs read one of them, some the other.
    pod = deployed_pod(workload(profile))
    for container in (*pod["containers"], *pod["initContainers"]):
        values = values_of(container)
        assert (values["AWS_REGION"], values["AWS_DEFAULT_REGION"]) == (REGION, REGION)


def test_a_command_takes_the_place_of_the_image_s() -> None:
    container = deployed_container(workload("litellm"))
    assert container["command"] == ["sh", "-c"]
    assert container["args"] == [litellm.START]
    assert deployed_container(workload("custom"))["args"] == ["serve"]


def test_what_a_container_said_last_is_in_its_status() -> None:
    assert deployed_container(workload())["terminationMessagePolicy"] == "FallbackToLogsOnError"


def test_requests_are_limits_so_that_80_percent_of_one_are_80_percent_of_the_other() -> None:
    found = deployed_container(workload(cpu_units=1024, memory_mib=2048))["resources"]
    assert found["requests"] == found["limits"] == {"cpu": "968m", "memory": "1856Mi"}


def test_the_collector_has_its_share_and_more_cpu_while_there_is_some() -> None:
    (sidecar,) = deployed_pod(workload())["initContainers"]
    memory = f"{collector.MEMORY_MIB}Mi"
    assert sidecar["resources"] == {
        "requests": {"cpu": "31m", "memory": memory},
        "limits": {"cpu": "250m", "memory": memory},
    }


def test_without_a_collector_the_gateway_has_all() -> None:
    alone = workload(collector_image_uri=None, collector_configuration=None, cpu_units=512, memory_mib=1024)
    assert deployed_container(alone)["resources"]["limits"] == {"cpu": "500m", "memory": "1024Mi"}
    assert "initContainers" not in deployed_pod(alone)


def test_the_collector_starts_first_and_outlives_the_gateway() -> None:
    (sidecar,) = deployed_pod(workload())["initContainers"]
    assert sidecar["image"] == COLLECTOR
    # What makes an init container a sidecar.
    assert sidecar["restartPolicy"] == "Always"
    # A startup probe would make the gateway wait for the collector to work.
    assert "startupProbe" not in sidecar
    assert sidecar["livenessProbe"]["exec"]["command"] == ["/healthcheck"]


def test_the_collector_reads_the_configuration_that_it_reads_on_ecs() -> None:
    found = workload()
    (sidecar,) = deployed_pod(found)["initContainers"]
    assert json.loads(values_of(sidecar)["AOT_CONFIG_CONTENT"]) == found.collector_configuration
    # It reads $ as the start of a variable, and so does Kubernetes before it.
    assert ")$$" in json.dumps(found.collector_configuration)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("plain", "plain"),
        ("a $NAME and a trailing $", "a $NAME and a trailing $"),
        ("^(a|b)$$", "^(a|b)$$$"),
        ("$(HOME)", "$$(HOME)"),
        ("$$(HOME)", "$$$$(HOME)"),
        ("cost: $${Token[Value.1]}", "cost: $$${Token[Value.1]}"),
    ],
)
def test_kubernetes_leaves_texts_as_they_are(text: str, written: str) -> None:
    assert literal(text) == written
    assert _as_kubernetes_reads(written) == text


def _as_kubernetes_reads(text: str) -> str:
    """Its expansion of $(NAME) without any variables: third_party/forked/golang/expansion of kubernetes."""
    read, position = "", 0
    while position < len(text):
        pair = text[position : position + 2]
        if pair == "$$":
            read, position = read + "$", position + 2
        elif pair == "$(":
            raise AssertionError(f"a variable in {text!r}")
        else:
            read, position = read + text[position], position + 1
    return read


def test_pods_have_no_way_to_kubernetes_itself() -> None:
    pod = deployed_pod(workload())
    assert pod["serviceAccountName"] == "gateway"
    assert pod["automountServiceAccountToken"] is False
    # A service named gateway would set GATEWAY_PORT in them.
    assert pod["enableServiceLinks"] is False
    assert not any("projected" in volume for volume in pod["volumes"])


@pytest.mark.parametrize("profile", PROFILES)
def test_what_is_written_is_in_memory_and_bounded(profile: str) -> None:
    found = workload(profile)
    pod, container = deployed_pod(found), deployed_container(found)
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    volumes = {volume["name"]: volume.get("emptyDir") for volume in pod["volumes"]}
    folders = {
        mount["mountPath"]: volumes[mount["name"]]
        for mount in container["volumeMounts"]
        if not mount.get("readOnly")
    }
    assert folders == {
        path: {"medium": "Memory", "sizeLimit": f"{mib}Mi"}
        for path, mib in found.profile.container.temporary_mib.items()
    }


@pytest.mark.parametrize(("architecture", "label"), [("arm64", "arm64"), ("x86_64", "amd64")])
def test_pods_run_on_the_gateway_s_nodes_of_the_image_s_architecture(architecture: str, label: str) -> None:
    own = workload(cpu_architecture=architecture)
    assert deployed_pod(own)["nodeSelector"] == {
        "karpenter.sh/nodepool": "gatehouse",
        "kubernetes.io/arch": label,
    }
    existing = on_an_existing_cluster(cpu_architecture=architecture)
    assert deployed_pod(existing)["nodeSelector"] == {"kubernetes.io/arch": label}


def _spread(found: Any) -> dict[str, dict[str, Any]]:
    return {each["topologyKey"]: each for each in deployed_pod(found)["topologySpreadConstraints"]}


def test_pods_spread_over_zones_and_start_in_the_others_when_one_fails() -> None:
    zones = _spread(workload())["topology.kubernetes.io/zone"]
    assert (zones["maxSkew"], zones["whenUnsatisfiable"]) == (1, "ScheduleAnyway")


def test_the_first_pods_do_not_share_the_first_node() -> None:
    nodes = _spread(workload(minimum_pods=3))["kubernetes.io/hostname"]
    assert (nodes["maxSkew"], nodes["whenUnsatisfiable"], nodes["minDomains"]) == (1, "DoNotSchedule", 3)
    # With fewer pods than zones there are never so many nodes.
    assert _spread(workload(minimum_pods=1))["kubernetes.io/hostname"]["minDomains"] == 1


@pytest.mark.parametrize(("pods", "on_a_node"), [(2, 1), (3, 1), (5, 1), (10, 3), (30, 10)])
def test_many_pods_are_on_as_many_nodes_as_zones_and_need_no_more(pods: int, on_a_node: int) -> None:
    zones = len(workload().zones)
    nodes = _spread(workload(minimum_pods=pods))["kubernetes.io/hostname"]
    assert nodes["maxSkew"] == on_a_node
    assert math.ceil(pods / on_a_node) >= min(zones, pods)


def test_nodes_that_nobody_adds_take_as_many_pods_as_they_must() -> None:
    nodes = _spread(on_an_existing_cluster())["kubernetes.io/hostname"]
    assert nodes["whenUnsatisfiable"] == "ScheduleAnyway"
    assert "minDomains" not in nodes


def test_each_version_spreads_for_itself_over_nodes_that_take_pods() -> None:
    for constraint in _spread(workload()).values():
        assert constraint["matchLabelKeys"] == ["pod-template-hash"]
        assert constraint["nodeTaintsPolicy"] == "Honor"
        assert constraint["labelSelector"]["matchLabels"]["app.kubernetes.io/component"] == "gateway"


def test_a_rollout_never_has_fewer_pods_and_fails_without_progress() -> None:
    spec = _deployment()
    assert spec["strategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": 0},
    }
    assert spec["minReadySeconds"] == 15
    assert spec["progressDeadlineSeconds"] == 300


def test_the_autoscaler_alone_says_how_many_pods_there_are() -> None:
    assert "replicas" not in _deployment()


def _check(probe: dict[str, Any]) -> dict[str, Any]:
    return {key: probe[key] for key in ("httpGet", "exec", "tcpSocket") if key in probe}


def test_liveness_asks_the_process_alone_and_readiness_what_the_load_balancer_asks() -> None:
    container = deployed_container(workload())
    live = {"httpGet": {"path": "/health/live", "port": "http"}}
    assert _check(container["startupProbe"]) == live
    assert _check(container["livenessProbe"]) == live
    assert _check(container["readinessProbe"]) == {"httpGet": {"path": "/health/ready", "port": "http"}}


def test_other_images_are_asked_as_they_can_be() -> None:
    by_path = deployed_container(workload("litellm"))["livenessProbe"]
    assert _check(by_path) == {"httpGet": {"path": "/health/liveliness", "port": "http"}}
    by_shell = deployed_container(workload("dial"))["livenessProbe"]["exec"]["command"]
    assert by_shell[:2] == ["/bin/sh", "-c"]
    assert by_shell[2].startswith("wget ")
    # Of any other image it is known that it listens.
    assert _check(deployed_container(workload("custom"))["livenessProbe"]) == {"tcpSocket": {"port": "http"}}


def test_a_program_of_the_image_is_asked_by_its_words() -> None:
    (sidecar,) = deployed_pod(workload())["initContainers"]
    assert sidecar["livenessProbe"]["exec"]["command"] == collector.HEALTH_COMMAND[1:]


@pytest.mark.parametrize(("profile", "seconds"), [("gatehouse", 45), ("litellm", 90)])
def test_a_start_may_take_as_long_as_on_ecs(profile: str, seconds: int) -> None:
    probe = deployed_container(workload(profile))["startupProbe"]
    assert probe["periodSeconds"] * probe["failureThreshold"] == seconds
    live = deployed_container(workload(profile))["livenessProbe"]
    assert (live["periodSeconds"], live["timeoutSeconds"], live["failureThreshold"]) == (10, 5, 3)
