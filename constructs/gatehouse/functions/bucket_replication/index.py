"""A custom resource of CloudFormation: the replication of another region's bucket.

Properties: Bucket, Region (of the bucket), Configuration (what PutBucketReplication takes, as a JSON text).
Of two buckets that are copied into each other only the second can say so in its template: S3 refuses the name
of a bucket that does not exist. What has been said here stays, whatever the bucket's own stack is updated
for; a configuration that somebody else has made is never changed or removed.
"""

import json
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from gatehouse.functions import cloudformation
from gatehouse.functions.cloudformation import Event
from gatehouse.functions.patience import TIME_LIMITS, patiently

# S3 tries the role, and a new role takes a while to work everywhere.
ROLE_SECONDS = 120.0
_NONE = "ReplicationConfigurationNotFoundError"
_TEMPORARY_ERRORS = {"AccessDenied", "InternalError", "InvalidRequest", "OperationAborted", "SlowDown"}


class ForeignConfigurationError(Exception):
    """The bucket has a replication that is not this resource's."""


@cloudformation.answered
def on_event(event: Event, _context: Any) -> str:
    """Write the configuration or remove it."""
    properties = event["ResourceProperties"]
    s3 = boto3.client("s3", region_name=properties["Region"], config=TIME_LIMITS)
    return remove(s3, properties) if event["RequestType"] == "Delete" else configure(s3, properties)


def configure(s3: Any, properties: Event) -> str:
    """Write the configuration. Raises ForeignConfigurationError, or what S3 says after some minutes."""
    bucket, wanted = properties["Bucket"], json.loads(properties["Configuration"])
    existing = patiently(lambda: _existing(s3, bucket), _TEMPORARY_ERRORS, ROLE_SECONDS)
    if not _is_own(existing, wanted):
        raise ForeignConfigurationError(
            f"{bucket} is replicated already, by another role than {wanted['Role']}: remove that replication"
        )
    patiently(
        lambda: s3.put_bucket_replication(Bucket=bucket, ReplicationConfiguration=wanted),
        _TEMPORARY_ERRORS,
        ROLE_SECONDS,
    )
    return f"{bucket} is replicated"


def remove(s3: Any, properties: Event) -> str:
    """Remove the configuration if it is still this resource's; a lost region has none to remove."""
    bucket, wanted = properties["Bucket"], json.loads(properties["Configuration"])
    try:
        existing = _existing(s3, bucket)
        if existing is None or not _is_own(existing, wanted):
            return "there is nothing of this resource's to remove"
        s3.delete_bucket_replication(Bucket=bucket)
    except (BotoCoreError, ClientError) as error:
        # It goes with the role that it names: without that nothing is copied.
        return f"the replication of {bucket} stays: {error}"
    return f"{bucket} is replicated no more"


def _existing(s3: Any, bucket: str) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = s3.get_bucket_replication(Bucket=bucket)["ReplicationConfiguration"]
    except ClientError as error:
        if error.response["Error"]["Code"] != _NONE:
            raise
        return None
    return found


def _is_own(existing: dict[str, Any] | None, wanted: dict[str, Any]) -> bool:
    """Whether a bucket's configuration may be replaced: there is none, or it names this resource's role."""
    return existing is None or existing["Role"] == wanted["Role"]
