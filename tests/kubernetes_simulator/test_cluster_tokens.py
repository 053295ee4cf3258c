"""Whom the cluster takes a token of EKS for valid of."""

import base64

import boto3
import pytest

from gatehouse.functions.apply_manifests.cluster_token import new_token
from local.kubernetes.tokens import TokenReview

REVIEW = TokenReview("cluster", "us-east-1", {"AKIDONE": "secret-one"})


@pytest.fixture(scope="module")
def token() -> str:
    return new_token(boto3.Session("AKIDONE", "secret-one", region_name="us-east-1"), "cluster")


def _changed(token: str, old: str, new: str) -> str:
    encoded = token.removeprefix("k8s-aws-v1.")
    url = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()
    assert old in url
    return "k8s-aws-v1." + base64.urlsafe_b64encode(url.replace(old, new).encode()).rstrip(b"=").decode()


def test_a_signed_request_is_known(token: str) -> None:
    assert REVIEW.is_valid(f"Bearer {token}")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param("GetCallerIdentity", "GetSessionToken", id="another-action"),
        pytest.param("sts.us-east-1.amazonaws.com", "sts.example.com", id="another-host"),
        pytest.param("X-Amz-Expires=60", "X-Amz-Expires=901", id="too-long"),
        pytest.param("X-Amz-Expires=60", "X-Amz-Expires=soon", id="no-number"),
        pytest.param("X-Amz-Date=20", "X-Amz-Date=19", id="too-old"),
        pytest.param("AKIDONE", "AKIDTWO", id="another-key"),
        pytest.param("host%3Bx-k8s-aws-id", "host", id="header-not-signed"),
        pytest.param("&Version", "&Extra=1&Version", id="another-parameter"),
        pytest.param("X-Amz-Signature=", "X-Amz-Signature=0", id="another-signature"),
    ],
)
def test_a_changed_request_is_not(token: str, old: str, new: str) -> None:
    assert not REVIEW.is_valid(f"Bearer {_changed(token, old, new)}")


@pytest.mark.parametrize(
    "header", ["", "Bearer ", "Bearer abc", "Bearer k8s-aws-v1.!", "Basic k8s-aws-v1.eA"]
)
def test_what_is_no_token_is_refused(header: str) -> None:
    assert not REVIEW.is_valid(header)
