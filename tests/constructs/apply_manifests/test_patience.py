"""What may pass is tried again, what is wrong is told at once, and nothing secret is told."""

import ssl
from typing import Any

import boto3
import pytest

from gatehouse.functions.apply_manifests import cluster
from gatehouse.functions.apply_manifests.cluster_token import new_token
from local.kubernetes import controllers
from local.kubernetes.cluster import Cluster, Fault
from local.kubernetes.server import serve
from local.kubernetes.tokens import TokenReview
from tests.constructs.apply_manifests.conftest import NAME, REGION, SHORT_SECONDS, Aws, Clock, Stack
from tests.constructs.apply_manifests.objects import (
    NAMESPACE,
    Object,
    a_config_map,
    a_gateway,
    a_job,
    an_object,
)


def test_fields_of_others_become_ours(stack: Stack, kubernetes: Cluster) -> None:
    stack.create(NAMESPACE)
    theirs = a_config_map()
    theirs["data"] = {"level": "debug", "other": "theirs"}
    kubernetes.add(theirs)
    stack.update(NAMESPACE, a_config_map())
    settings = kubernetes.get("ConfigMap", "settings")
    assert settings is not None
    assert settings["data"] == {"level": "info", "other": "theirs"}


@pytest.mark.parametrize("after", [False, True], ids=["before-it-is-done", "after-it-is-done"])
def test_what_may_pass_is_tried_again(stack: Stack, kubernetes: Cluster, *, after: bool) -> None:
    for status in (409, 429, 500, 502, 503, 504, 0):
        kubernetes.faults.append(Fault("^PATCH .*/settings$", status, after=after))
        kubernetes.faults.append(Fault("^GET ", status, after=after))
    stack.create(NAMESPACE, a_config_map(), a_gateway())
    stack.delete()
    assert kubernetes.names() == set()


def test_an_api_that_stays_away_is_answered_in_lambda_s_time(stack: Stack, kubernetes: Cluster) -> None:
    stack.seconds = SHORT_SECONDS
    kubernetes.faults.append(Fault("", 503, times=100_000, message="no leader"))
    assert stack.fail_to_create(NAMESPACE) == (
        "ApiError: no more time; the last problem: GET /api/v1: 503: no leader"
    )


def test_a_new_cluster_s_kinds_are_waited_for(stack: Stack, kubernetes: Cluster) -> None:
    kubernetes.faults.append(Fault("^GET /apis/karpenter.sh/v1$", 404, times=6))
    pool = {"apiVersion": "karpenter.sh/v1", "kind": "NodePool", "metadata": {"name": "gateway"}, "spec": {}}
    stack.create(pool)
    assert kubernetes.names() == {"NodePool gateway"}


def test_a_kind_that_never_comes_is_named(stack: Stack) -> None:
    stack.seconds = SHORT_SECONDS
    assert stack.fail_to_create(an_object("Gateway", "gateway", "example.com/v1")) == (
        "ApiError: no more time; the last problem: the cluster does not know the kind "
        "Gateway of example.com/v1"
    )


def test_a_kind_that_is_gone_has_no_objects_left(stack: Stack, kubernetes: Cluster) -> None:
    pool = {"apiVersion": "karpenter.sh/v1", "kind": "NodePool", "metadata": {"name": "gateway"}, "spec": {}}
    stack.create(pool)
    kubernetes.faults.append(Fault("^GET /apis/karpenter.sh/v1$", 404, times=100))
    assert stack.delete() == "objects removed: 0"


@pytest.mark.parametrize(
    ("manifest", "said"),
    [
        pytest.param(
            an_object("ConfigMap", "settings", dat={}),
            "500: failed to create typed patch object (settings; Kind=ConfigMap): "
            ": Additional properties are not allowed ('dat' was unexpected)",
            id="unknown-field",
        ),
        pytest.param(
            an_object("ConfigMap", "Settings"),
            "422: ConfigMap \"Settings\" is invalid: metadata.name: Invalid value: 'Settings': "
            "a lowercase RFC 1123 subdomain",
            id="name",
        ),
    ],
)
def test_what_is_wrong_is_not_tried_again(
    stack: Stack, kubernetes: Cluster, clock: Clock, manifest: Object, said: str
) -> None:
    kubernetes.add(NAMESPACE)
    begun = clock.now
    reason = stack.fail_to_create(manifest)
    assert reason.startswith("ApiError: PATCH /api/v1/namespaces/gatehouse/configmaps/")
    assert reason.endswith(said)
    assert clock.now == begun


def test_a_namespace_that_is_missing_is_told(stack: Stack) -> None:
    assert stack.fail_to_create(a_config_map()) == 'ApiError: namespaces "gatehouse" not found'


@pytest.mark.parametrize("status", [401, 403])
def test_permissions_may_take_a_while(stack: Stack, kubernetes: Cluster, status: int) -> None:
    kubernetes.faults.append(Fault("", status, times=8))
    stack.create(NAMESPACE)


@pytest.mark.parametrize("status", [401, 403])
def test_permissions_that_do_not_come_are_told(
    stack: Stack, kubernetes: Cluster, clock: Clock, status: int
) -> None:
    begun = clock.now
    kubernetes.faults.append(Fault("", status, times=100_000, message="not allowed"))
    assert stack.fail_to_create(NAMESPACE) == f"ApiError: GET /api/v1: {status}: not allowed"
    assert 120 <= clock.now - begun < 140


def test_the_permission_to_find_the_cluster_may_take_a_while(stack: Stack, aws: Aws) -> None:
    aws.denials = 3
    stack.create(NAMESPACE)


def test_a_token_is_for_one_cluster_and_one_role(stack: Stack) -> None:
    session = boto3.Session()
    review = TokenReview(NAME, REGION, {"AKIDEPLOY": "secret-of-the-role"})
    assert review.is_valid(f"Bearer {new_token(session, NAME)}")
    assert not review.is_valid(f"Bearer {new_token(session, 'another')}")
    assert not TokenReview(NAME, REGION, {"AKIDEPLOY": "another"}).is_valid(
        f"Bearer {new_token(session, NAME)}"
    )


def test_a_token_is_renewed_when_it_is_refused_and_when_it_is_old(
    stack: Stack, kubernetes: Cluster, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_at: list[float] = []

    def token(session: Any, name: str) -> str:
        made_at.append(clock.now)
        return new_token(session, name)

    monkeypatch.setattr(cluster, "new_token", token)
    kubernetes.controllers["Job"] = lambda job, reads: controllers.complete(job, 0 if reads < 200 else 1)
    begun = clock.now
    stack.create(NAMESPACE, a_job())
    assert len(made_at) == 2
    assert 450 <= made_at[1] - begun < 460
    kubernetes.faults.append(Fault("^PATCH", 401))
    stack.create(NAMESPACE)
    assert len(made_at) == 4


def test_another_authority_s_certificate_is_refused(stack: Stack, aws: Aws, clock: Clock) -> None:
    with serve(Cluster(), lambda _token: True) as other:
        assert aws.cluster is not None
        aws.cluster["endpoint"] = other.endpoint
        begun = clock.now
        reason = stack.fail_to_create(NAMESPACE)
    assert "certificate verify failed" in reason
    assert clock.now == begun


def test_the_certificates_of_eks_are_taken_by_python_s_strict_check(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python 3.13 and later ask for key identifiers, which the authorities of EKS do not have."""
    create = ssl.create_default_context

    def strict(**options: Any) -> ssl.SSLContext:
        context = create(**options)
        context.verify_flags |= ssl.VERIFY_X509_STRICT
        return context

    monkeypatch.setattr(ssl, "create_default_context", strict)
    stack.create(NAMESPACE)


def test_nothing_secret_is_written_down(
    stack: Stack, kubernetes: Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    kubernetes.faults += [Fault("", 503, times=2), Fault("^PATCH", 401)]
    stack.create(NAMESPACE, a_gateway())
    written = capsys.readouterr().out
    assert '{"applied": "Namespace gatehouse"}' in written
    assert "k8s-aws-v1" not in written
    assert "secret-of-the-role" not in written
