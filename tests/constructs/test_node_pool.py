"""The nodes of the gateway's pods: theirs alone in kind, and gone without cutting a stream."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any, Literal

import pytest

from gatehouse.kubernetes import node_pool
from gatehouse.kubernetes.manifest import Manifest
from gatehouse.kubernetes.node_pool import node_manifests
from gatehouse.kubernetes.versions import END_OF_STANDARD_SUPPORT
from tests.kubernetes.validation import validate

ZONES = ["eu-central-1a", "eu-central-1b"]


def _manifests(cpu_architecture: Literal["arm64", "x86_64"] = "arm64") -> list[Manifest]:
    return node_manifests(
        role_name="nodes",
        subnet_ids=["subnet-a", "subnet-b"],
        security_group_ids=["sg-cluster", "sg-service"],
        encryption_key_arn="arn:aws:kms:eu-central-1:111111111111:key/data",
        zones=ZONES,
        cpu_architecture=cpu_architecture,
    )


def _spec(kind: str, **settings: Any) -> dict[str, Any]:
    (found,) = [each for each in _manifests(**settings) if each["kind"] == kind]
    return dict(found["spec"])


def _requirements(**settings: Any) -> dict[str, tuple[str, list[str]]]:
    template = _spec("NodePool", **settings)["template"]["spec"]
    return {each["key"]: (each["operator"], each["values"]) for each in template["requirements"]}


def _object(kind: str) -> dict[str, Any]:
    (found,) = [each for each in _manifests() if each["kind"] == kind]
    return deepcopy(dict(found))


@pytest.mark.parametrize("version", sorted(END_OF_STANDARD_SUPPORT))
def test_a_cluster_in_auto_mode_takes_them(version: str) -> None:
    for manifest in _manifests():
        validate(manifest, version)


@pytest.mark.parametrize(
    ("kind", "spoil"),
    [
        ("NodeClass", lambda spec: spec.update(kmsKeyID="key")),
        ("NodeClass", lambda spec: spec.pop("role")),
        ("NodeClass", lambda spec: spec.update(networkPolicy="Deny")),
        ("NodePool", lambda spec: spec["template"]["spec"].update(expireAfter="14d")),
        ("NodePool", lambda spec: spec["template"]["spec"].pop("nodeClassRef")),
        ("NodePool", lambda spec: spec["disruption"]["budgets"][0].update(nodes="0.1")),
        ("NodePool", lambda spec: spec["disruption"]["budgets"][0].update(reasons=["Expired"])),
    ],
)
def test_what_it_would_refuse_is_found(kind: str, spoil: Callable[[dict[str, Any]], object]) -> None:
    manifest = _object(kind)
    spoil(manifest["spec"])
    with pytest.raises(AssertionError, match=kind):
        validate(manifest, "1.36")


def test_every_object_says_who_manages_it() -> None:
    for manifest in _manifests():
        assert manifest["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "gatehouse"
        assert manifest["metadata"]["labels"]["app.kubernetes.io/part-of"] == "gatehouse"


def test_network_policies_are_enforced() -> None:
    switch = _manifests()[0]
    assert (switch["kind"], switch["metadata"]["namespace"]) == ("ConfigMap", "kube-system")
    assert switch["metadata"]["name"] == "amazon-vpc-cni"
    assert switch["data"] == {"enable-network-policy-controller": "true"}


def test_nodes_are_where_and_in_what_is_named_by_its_id() -> None:
    spec = _spec("NodeClass")
    assert spec["role"] == "nodes"
    assert spec["subnetSelectorTerms"] == [{"id": "subnet-a"}, {"id": "subnet-b"}]
    assert spec["securityGroupSelectorTerms"] == [{"id": "sg-cluster"}, {"id": "sg-service"}]


def test_nodes_have_encrypted_disks_and_no_public_addresses() -> None:
    spec = _spec("NodeClass")
    assert spec["ephemeralStorage"] == {"kmsKeyID": "arn:aws:kms:eu-central-1:111111111111:key/data"}
    assert spec["advancedNetworking"]["associatePublicIPAddress"] is False


def test_nodes_keep_no_addresses_for_pods_that_are_not_there() -> None:
    assert _spec("NodeClass")["advancedNetworking"]["ipv4PrefixSize"] == "32"


def test_nodes_write_down_what_network_policies_decide() -> None:
    spec = _spec("NodeClass")
    assert (spec["networkPolicy"], spec["networkPolicyEventLogs"]) == ("DefaultAllow", "Enabled")


def test_the_pool_s_nodes_are_of_its_class() -> None:
    reference = _spec("NodePool")["template"]["spec"]["nodeClassRef"]
    (node_class,) = [each for each in _manifests() if each["kind"] == "NodeClass"]
    assert reference == {
        "group": "eks.amazonaws.com",
        "kind": "NodeClass",
        "name": node_class["metadata"]["name"],
    }


def test_no_class_or_pool_has_a_name_that_eks_uses_itself() -> None:
    names = {each["metadata"]["name"] for each in _manifests() if each["kind"].startswith("Node")}
    assert not names & {"default", "system", "general-purpose"}


@pytest.mark.parametrize(("cpu_architecture", "arch"), [("arm64", "arm64"), ("x86_64", "amd64")])
def test_nodes_have_the_architecture_of_the_image(
    cpu_architecture: Literal["arm64", "x86_64"], arch: str
) -> None:
    assert _requirements(cpu_architecture=cpu_architecture)["kubernetes.io/arch"] == ("In", [arch])


def test_nodes_are_not_taken_away_by_aws_and_are_in_the_configured_zones() -> None:
    requirements = _requirements()
    assert requirements["karpenter.sh/capacity-type"] == ("In", ["on-demand"])
    assert requirements["topology.kubernetes.io/zone"] == ("In", ZONES)


def test_there_are_many_types_of_nodes_and_none_that_would_hold_most_of_the_pods() -> None:
    requirements = _requirements()
    assert requirements["eks.amazonaws.com/instance-category"] == ("In", ["c", "m", "r"])
    assert requirements["eks.amazonaws.com/instance-generation"] == ("Gt", ["5"])
    assert requirements["eks.amazonaws.com/instance-cpu"] == ("Lt", ["17"])


def test_pods_choose_the_pool_by_its_name() -> None:
    (pool,) = [each for each in _manifests() if each["kind"] == "NodePool"]
    assert dict(node_pool.NODE_SELECTOR) == {"karpenter.sh/nodepool": pool["metadata"]["name"]}


def test_the_add_on_that_mounts_secrets_runs_on_its_nodes() -> None:
    template = _spec("NodePool")["template"]["spec"]
    assert not {"taints", "startupTaints"} & template.keys()


def test_few_nodes_with_pods_go_at_a_time_and_empty_ones_at_once() -> None:
    assert _spec("NodePool")["disruption"] == {
        "consolidationPolicy": "WhenEmptyOrUnderutilized",
        "consolidateAfter": "10m",
        "budgets": [
            {"nodes": "10%", "reasons": ["Drifted", "Underutilized"]},
            {"nodes": "100%", "reasons": ["Empty"]},
        ],
    }


def test_nodes_are_replaced_and_their_pods_have_a_day_to_leave() -> None:
    template = _spec("NodePool")["template"]["spec"]
    assert (template["expireAfter"], template["terminationGracePeriod"]) == ("336h", "24h")


def test_a_node_s_whole_life_is_within_what_auto_mode_allows() -> None:
    whole = node_pool.EXPIRE_AFTER.to_days() + node_pool.TERMINATION_GRACE_PERIOD.to_days()
    assert whole <= 21
