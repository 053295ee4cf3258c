"""The roles of pods: by EKS Pod Identity, or by the OpenID Connect provider of a cluster that was there."""

from typing import Any, Literal

import aws_cdk as cdk
import pytest
from aws_cdk.assertions import Template

from gatehouse.kubernetes.cluster_reference import ClusterReference
from gatehouse.kubernetes.existing_cluster import existing_cluster
from gatehouse.kubernetes.pod_role import PodRole
from tests.constructs.conftest import ACCOUNT, REGION
from tests.constructs.parts import new_stack, only

PROVIDER = f"oidc.eks.{REGION}.amazonaws.com/id/EXAMPLED539D4633E53DE1B71EXAMPLE"


def _existing(stack: cdk.Stack, identity: Literal["pod-identity", "oidc"]) -> ClusterReference:
    return existing_cluster(
        stack,
        name="shared",
        security_group_id="sg-0123456789abcdef0",
        identity=identity,
        oidc_provider=PROVIDER if identity == "oidc" else None,
        load_balancing="controller",
    )


def _role(identity: Literal["pod-identity", "oidc"]) -> tuple[PodRole, Template]:
    stack = new_stack()
    role = PodRole(
        stack,
        "Pods",
        cluster=_existing(stack, identity),
        namespace="gatehouse",
        service_account="gateway",
        role_name="gatehouse-test-task",
    )
    return role, Template.from_stack(stack)


@pytest.fixture(scope="module")
def by_pod_identity() -> tuple[PodRole, Template]:
    return _role("pod-identity")


@pytest.fixture(scope="module")
def by_provider() -> tuple[PodRole, Template]:
    return _role("oidc")


def _trust(template: Template) -> dict[str, Any]:
    (statement,) = only(template, "IAM::Role")["AssumeRolePolicyDocument"]["Statement"]
    return dict(statement)


@pytest.mark.parametrize("fixture", ["by_pod_identity", "by_provider"])
def test_the_role_has_the_name_that_other_accounts_trust(
    request: pytest.FixtureRequest, fixture: str
) -> None:
    _, template = request.getfixturevalue(fixture)
    assert only(template, "IAM::Role")["RoleName"] == "gatehouse-test-task"


def test_pod_identity_assumes_it_for_one_cluster_of_this_account(
    by_pod_identity: tuple[PodRole, Template],
) -> None:
    trust = _trust(by_pod_identity[1])
    assert trust["Principal"] == {"Service": "pods.eks.amazonaws.com"}
    assert trust["Action"] == ["sts:AssumeRole", "sts:TagSession"]
    assert trust["Condition"]["StringEquals"] == {"aws:SourceAccount": ACCOUNT}
    cluster = f"arn:aws:eks:{REGION}:{ACCOUNT}:cluster/shared"
    assert trust["Condition"]["ArnEquals"] == {"aws:SourceArn": cluster}


def test_one_service_account_has_it(by_pod_identity: tuple[PodRole, Template]) -> None:
    association = only(by_pod_identity[1], "EKS::PodIdentityAssociation")
    assert association["ClusterName"] == "shared"
    assert (association["Namespace"], association["ServiceAccount"]) == ("gatehouse", "gateway")


def test_sessions_carry_no_tags_that_other_accounts_roles_would_refuse(
    by_pod_identity: tuple[PodRole, Template],
) -> None:
    assert only(by_pod_identity[1], "EKS::PodIdentityAssociation")["DisableSessionTags"] is True


def test_with_pod_identity_the_service_account_needs_no_annotation(
    by_pod_identity: tuple[PodRole, Template],
) -> None:
    role, _ = by_pod_identity
    assert role.annotations == {}
    assert {each.node.id for each in role.ready} == {"Role", "Association"}  # type: ignore[attr-defined]


def test_the_provider_vouches_for_one_service_account(by_provider: tuple[PodRole, Template]) -> None:
    trust = _trust(by_provider[1])
    assert trust["Action"] == "sts:AssumeRoleWithWebIdentity"
    assert trust["Principal"] == {"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{PROVIDER}"}
    assert trust["Condition"] == {
        "StringEquals": {
            f"{PROVIDER}:aud": "sts.amazonaws.com",
            f"{PROVIDER}:sub": "system:serviceaccount:gatehouse:gateway",
        }
    }


def test_with_a_provider_the_service_account_names_the_role(by_provider: tuple[PodRole, Template]) -> None:
    role, template = by_provider
    (role_id,) = template.find_resources("AWS::IAM::Role")
    annotations = cdk.Stack.of(role).resolve(role.annotations)
    assert annotations == {"eks.amazonaws.com/role-arn": {"Fn::GetAtt": [role_id, "Arn"]}}
    template.resource_count_is("AWS::EKS::PodIdentityAssociation", 0)


@pytest.mark.parametrize("identity", ["pod-identity", "oidc"])
def test_an_existing_cluster_stays_as_it_is(identity: Literal["pod-identity", "oidc"]) -> None:
    stack = new_stack()
    reference = _existing(stack, identity)
    assert not reference.manifests
    assert not reference.ready
    assert (reference.name, reference.identity) == ("shared", identity)
    assert reference.load_balancing == "controller"
    assert reference.security_group.security_group_id == "sg-0123456789abcdef0"
    assert not Template.from_stack(stack).to_json().get("Resources")
