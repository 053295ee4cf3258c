"""Every manifest is one that each supported version of Kubernetes takes, and that says whose it is."""

import json
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import pytest

from gatehouse.kubernetes.manifest import Manifest
from gatehouse.kubernetes.node_pool import node_manifests
from gatehouse.kubernetes.workload import gateway, prerequisites
from gatehouse.kubernetes.workload_inputs import Workload
from tests.kubernetes.validation import validate
from tests.kubernetes.workloads import (
    PROFILES,
    VERSIONS,
    every_manifest,
    on_an_existing_cluster,
    only,
    workload,
)

WORKLOADS: Mapping[str, Callable[[], Workload]] = {
    **{name: partial(workload, name) for name in PROFILES},
    **{f"{name}-on-an-existing-cluster": partial(on_an_existing_cluster, name) for name in PROFILES},
    "without-collector": partial(workload, collector_image_uri=None, collector_configuration=None),
    "with-ipv6": partial(workload, has_ipv6=True, cpu_architecture="x86_64"),
}


@pytest.fixture(params=WORKLOADS)
def found(request: pytest.FixtureRequest) -> Workload:
    return WORKLOADS[request.param]()


@pytest.mark.parametrize("version", VERSIONS)
def test_kubernetes_takes_them(found: Workload, version: str) -> None:
    for manifest in every_manifest(found):
        validate(manifest, version)


@pytest.mark.parametrize("version", VERSIONS)
def test_kubernetes_takes_what_the_cluster_needs_first(version: str) -> None:
    manifests = node_manifests(
        role_name="nodes",
        subnet_ids=["subnet-a"],
        security_group_ids=["sg-1"],
        encryption_key_arn="arn:aws:kms:eu-central-1:111111111111:key/data",
        zones=["eu-central-1a"],
        cpu_architecture="arm64",
    )
    for manifest in manifests:
        validate(manifest, version)


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        ("Deployment", ("spec", "template", "spec", "terminationGracePeriod"), 30),
        ("Deployment", ("spec", "template", "spec", "terminationGracePeriodSeconds"), "30"),
        ("NetworkPolicy", ("spec", "podSelecter"), {}),
        ("HorizontalPodAutoscaler", ("spec", "maxReplicas"), "30"),
        ("TargetGroupBinding", ("spec", "targetGroupArn"), "arn"),
        ("SecretProviderClass", ("spec", "parameters", "usePodIdentity"), True),
    ],
)
@pytest.mark.parametrize("version", VERSIONS)
def test_a_field_that_does_not_exist_or_has_another_type_is_found(
    kind: str, path: tuple[str, ...], value: object, version: str
) -> None:
    manifests = [each for each in every_manifest(workload()) if each["kind"] == kind]
    broken: dict[str, Any] = json.loads(json.dumps(manifests[0]))
    *parents, field = path
    place = broken
    for parent in parents:
        place = place[parent]
    place[field] = value
    with pytest.raises(AssertionError, match=kind):
        validate(broken, version)


def test_every_object_says_who_manages_it_and_what_it_is_part_of(found: Workload) -> None:
    for manifest in every_manifest(found):
        labels = manifest["metadata"]["labels"]
        assert labels["app.kubernetes.io/managed-by"] == "gatehouse"
        assert labels["app.kubernetes.io/part-of"] == "gatehouse"
        assert labels["app.kubernetes.io/name"] == "gateway"
        assert labels["app.kubernetes.io/component"]


def test_every_object_is_in_the_workload_s_namespace_and_there_once(found: Workload) -> None:
    manifests = every_manifest(found)
    names = [(each["kind"], each["metadata"]["name"]) for each in manifests]
    assert len(set(names)) == len(names)
    assert names[0] == ("Namespace", found.namespace)
    assert {each["metadata"]["namespace"] for each in manifests[1:]} == {found.namespace}


def test_what_others_refer_to_is_there_and_comes_first(found: Workload) -> None:
    manifests = every_manifest(found)
    names = [(each["kind"], each["metadata"]["name"]) for each in manifests]
    for own, manifest in enumerate(manifests):
        for reference in _references(manifest):
            assert names.index(reference) < own, f"{names[own]} before {reference}"


def test_migrations_end_before_anything_of_the_gateway_begins() -> None:
    assert prerequisites(workload())[-1]["kind"] == "Job"
    kinds = {each["kind"] for each in gateway(workload())}
    assert kinds == {"PodDisruptionBudget", "Deployment", "HorizontalPodAutoscaler"}


def test_pods_are_made_once_their_binding_is_known(found: Workload) -> None:
    """What makes them wait for the load balancer looks at the bindings when they are made."""
    assert "TargetGroupBinding" in {each["kind"] for each in prerequisites(found)}
    assert "Deployment" in {each["kind"] for each in gateway(found)}


def _references(manifest: Manifest) -> list[tuple[str, str]]:
    spec = manifest.get("spec", {})
    pod = spec.get("template", {}).get("spec", {})
    found = [("ServiceAccount", pod["serviceAccountName"])] if pod else []
    found += [
        ("SecretProviderClass", volume["csi"]["volumeAttributes"]["secretProviderClass"])
        for volume in pod.get("volumes", [])
        if "csi" in volume
    ]
    if "scaleTargetRef" in spec:
        found.append((spec["scaleTargetRef"]["kind"], spec["scaleTargetRef"]["name"]))
    if "serviceRef" in spec:
        found.append(("Service", spec["serviceRef"]["name"]))
    return found


def test_labels_that_select_pods_are_those_of_the_pods() -> None:
    manifests = every_manifest(workload())
    labels = only(manifests, "Deployment")["spec"]["template"]["metadata"]["labels"]
    migration_labels = only(manifests, "Job")["spec"]["template"]["metadata"]["labels"]
    selectors = [
        only(manifests, "Deployment")["spec"]["selector"]["matchLabels"],
        only(manifests, "Service")["spec"]["selector"],
        only(manifests, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
        only(manifests, "NetworkPolicy", "gateway")["spec"]["podSelector"]["matchLabels"],
    ]
    for selector in selectors:
        assert selector.items() <= labels.items()
        assert not selector.items() <= migration_labels.items()
    policy = only(manifests, "NetworkPolicy", "migrations")["spec"]["podSelector"]["matchLabels"]
    assert policy.items() <= migration_labels.items()
    assert not policy.items() <= labels.items()
