"""The function that has another region's bucket copied."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from gatehouse.functions.bucket_replication import index
from gatehouse.functions.patience import RETRY_SECONDS
from tests.constructs.custom_resources import CustomResource, custom_resource

OWN = {"Role": "arn:aws:iam::111111111111:role/own", "Rules": [{"ID": "new"}]}
EARLIER = OWN | {"Rules": [{"ID": "old"}]}
FOREIGN = {"Role": "arn:aws:iam::111111111111:role/theirs", "Rules": []}
PROPERTIES = {"Bucket": "objects", "Region": "eu-west-1", "Configuration": json.dumps(OWN)}
NONE = "ReplicationConfigurationNotFoundError"
S3 = "s3.eu-west-1"


class Bucket:
    """S3 in the other region: a bucket and its replication. Writes are refused with these errors first."""

    def __init__(self, replication: dict[str, Any] | None = None, *refusals: str) -> None:
        self.replication = replication
        self._refusals = list(refusals)

    def get_bucket_replication(self, *, Bucket: str) -> dict[str, Any]:  # noqa: N803 (boto3's own spelling)
        assert Bucket == "objects"
        if self.replication is None:
            raise _refused(NONE)
        return {"ReplicationConfiguration": self.replication}

    def put_bucket_replication(
        self,
        *,
        Bucket: str,  # noqa: N803
        ReplicationConfiguration: dict[str, Any],  # noqa: N803
    ) -> None:
        assert Bucket == "objects"
        if self._refusals:
            raise _refused(self._refusals.pop(0))
        self.replication = ReplicationConfiguration

    def delete_bucket_replication(self, *, Bucket: str) -> None:  # noqa: N803
        assert Bucket == "objects"
        self.replication = None


class LostRegion:
    """S3 in a region that does not answer."""

    def get_bucket_replication(self, **_: Any) -> Any:
        raise EndpointConnectionError(endpoint_url="https://objects.s3.eu-west-1.amazonaws.com")


def _refused(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "BucketReplication")


@pytest.fixture
def resource(monkeypatch: pytest.MonkeyPatch) -> Iterator[CustomResource]:
    with custom_resource(index, PROPERTIES, monkeypatch) as resource:
        yield resource


@pytest.mark.parametrize("existing", [None, EARLIER])
@pytest.mark.parametrize("request_type", ["Create", "Update"])
def test_the_bucket_is_copied_as_the_template_says(
    resource: CustomResource, request_type: str, existing: dict[str, Any] | None
) -> None:
    bucket = resource.clients[S3] = Bucket(existing)
    assert resource.request(request_type) == ("SUCCESS", "objects is replicated")
    assert bucket.replication == OWN


@pytest.mark.parametrize("request_type", ["Create", "Update"])
def test_somebody_else_s_replication_is_never_replaced(resource: CustomResource, request_type: str) -> None:
    bucket = resource.clients[S3] = Bucket(FOREIGN)
    status, reason = resource.request(request_type)
    assert status == "FAILED"
    assert "objects is replicated already, by another role than" in reason
    assert bucket.replication == FOREIGN


@pytest.mark.parametrize("code", ["AccessDenied", "InvalidRequest", "OperationAborted"])
def test_a_new_role_is_given_time_to_work(resource: CustomResource, code: str) -> None:
    bucket = resource.clients[S3] = Bucket(None, code, code)
    assert resource.request().status == "SUCCESS"
    assert bucket.replication == OWN


def test_a_role_that_never_works_is_told_in_time(resource: CustomResource) -> None:
    resource.clients[S3] = Bucket(None, *100 * ["InvalidRequest"])
    began = resource.clock.now
    status, reason = resource.request()
    assert (status, "InvalidRequest" in reason) == ("FAILED", True)
    assert resource.clock.now - began <= index.ROLE_SECONDS + RETRY_SECONDS


def test_a_removal_takes_the_own_replication_away_and_no_other(resource: CustomResource) -> None:
    for existing, remaining in ((EARLIER, None), (FOREIGN, FOREIGN), (None, None)):
        bucket = resource.clients[S3] = Bucket(existing)
        assert resource.request("Delete").status == "SUCCESS"
        assert bucket.replication == remaining


def test_a_removal_does_not_need_a_region_that_is_lost(resource: CustomResource) -> None:
    resource.clients[S3] = LostRegion()
    status, reason = resource.request("Delete")
    assert (status, "the replication of objects stays" in reason) == ("SUCCESS", True)


def test_a_change_does(resource: CustomResource) -> None:
    resource.clients[S3] = LostRegion()
    assert resource.request("Update").status == "FAILED"
