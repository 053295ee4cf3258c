"""Who may do what through a cluster's API: everything in the platform's own, little in somebody else's."""

from collections.abc import Iterator
from typing import Any

import pytest
from aws_cdk import aws_iam as iam
from aws_cdk.assertions import Template

from gatehouse.kubernetes.api_access import DEPLOYMENT_GROUP, deployment_rights, grant_api_access
from gatehouse.kubernetes.existing_cluster import existing_cluster
from gatehouse.kubernetes.versions import END_OF_STANDARD_SUPPORT
from tests.constructs.parts import new_stack, only
from tests.kubernetes.validation import validate
from tests.kubernetes.workloads import PROFILES, every_manifest, on_an_existing_cluster, workload

ROLE = "arn:aws:iam::111111111111:role/deployment"


def _entry(*, is_own: bool) -> dict[str, Any]:
    stack = new_stack()
    cluster = existing_cluster(
        stack,
        name="shared",
        security_group_id="sg-0123456789abcdef0",
        identity="pod-identity",
        oidc_provider=None,
        load_balancing="auto-mode",
    )
    role = iam.Role.from_role_arn(stack, "Role", ROLE)
    grant_api_access(stack, "Access", cluster=cluster, role=role, is_own=is_own)
    return only(Template.from_stack(stack), "EKS::AccessEntry")


def test_the_platform_administers_its_own_cluster() -> None:
    assert _entry(is_own=True) == {
        "ClusterName": "shared",
        "PrincipalArn": ROLE,
        "AccessPolicies": [
            {
                "AccessScope": {"Type": "cluster"},
                "PolicyArn": "arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy",
            }
        ],
    }


def test_elsewhere_it_may_do_what_the_owners_let_its_group_do() -> None:
    assert _entry(is_own=False) == {
        "ClusterName": "shared",
        "PrincipalArn": ROLE,
        "KubernetesGroups": [DEPLOYMENT_GROUP],
    }


def _rules(kind: str) -> Iterator[dict[str, Any]]:
    for manifest in deployment_rights("gatehouse"):
        if manifest["kind"] == kind:
            yield from manifest["rules"]


def test_the_group_s_rights_are_in_one_namespace() -> None:
    kinds = {each["kind"]: each["metadata"] for each in deployment_rights("gatehouse")}
    assert kinds["Namespace"]["name"] == "gatehouse"
    assert kinds["Role"]["namespace"] == kinds["RoleBinding"]["namespace"] == "gatehouse"
    (rule,) = _rules("ClusterRole")
    assert rule == {
        "apiGroups": [""],
        "resources": ["namespaces"],
        "resourceNames": ["gatehouse"],
        "verbs": ["get", "patch"],
    }


def test_the_group_reads_no_secrets_and_gives_nobody_rights() -> None:
    for rule in _rules("Role"):
        assert not {"secrets", "pods/exec", "roles", "rolebindings", "serviceaccounts/token"} & set(
            rule["resources"]
        )
        assert "*" not in {*rule["apiGroups"], *rule["resources"], *rule["verbs"]}


def _plural(kind: str) -> str:
    name = kind.lower()
    return f"{name[:-1]}ies" if name.endswith("y") else f"{name}es" if name.endswith("s") else f"{name}s"


@pytest.mark.parametrize("profile", PROFILES)
def test_the_group_applies_and_removes_every_kind_of_object_that_a_gateway_has(profile: str) -> None:
    may = {
        (group, resource)
        for rule in _rules("Role")
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        if {"get", "create", "patch", "delete"} <= set(rule["verbs"])
    }
    manifests = [*every_manifest(on_an_existing_cluster(profile)), *every_manifest(workload(profile))]
    needed = {
        (each["apiVersion"].rpartition("/")[0], _plural(each["kind"]))
        for each in manifests
        if each["kind"] != "Namespace"
    }
    assert needed <= may


def test_every_binding_is_of_the_group_and_of_a_role_that_is_there() -> None:
    manifests = deployment_rights("gatehouse")
    roles = {(each["kind"], each["metadata"]["name"]) for each in manifests}
    for binding in (each for each in manifests if each["kind"].endswith("Binding")):
        assert [each["name"] for each in binding["subjects"]] == [DEPLOYMENT_GROUP]
        assert (binding["roleRef"]["kind"], binding["roleRef"]["name"]) in roles


@pytest.mark.parametrize("version", sorted(END_OF_STANDARD_SUPPORT))
def test_kubernetes_takes_the_rights_as_they_are(version: str) -> None:
    for manifest in deployment_rights("gatehouse"):
        validate(manifest, version)
