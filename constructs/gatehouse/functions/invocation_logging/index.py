"""A custom resource of CloudFormation: where Bedrock writes the invocations of an account's region, and what.

Properties: LogGroupName, RoleArn (by which Bedrock writes there), Content ("true": prompts and answers, too).
An account has one such configuration in each region, which CloudFormation knows no resource for. One that
somebody else made is never changed or removed: creating beside it fails and says whose log group it names.
"""

from typing import Any

import boto3
from botocore.exceptions import ClientError

from gatehouse.functions import cloudformation
from gatehouse.functions.cloudformation import Event
from gatehouse.functions.patience import patiently

# Bedrock tries the role before it takes it, and a new role takes a while to work everywhere.
ROLE_SECONDS = 120.0
_TEMPORARY_ERRORS = {"InternalServerException", "ThrottlingException"}
# What it says of a role that does not work (yet), or may not be handed to it yet.
_ROLE_ERRORS = {"ValidationException", "AccessDeniedException"}
# Kinds of content that a configuration may include; each is off unless it is turned on.
_CONTENT = ("text", "image", "embedding", "video", "audio")


class ForeignConfigurationError(Exception):
    """The region has a configuration that is not this resource's."""


@cloudformation.answered
def on_event(event: Event, _context: Any) -> str:
    """Write the configuration or remove it."""
    bedrock = boto3.client("bedrock")
    return remove(bedrock, event) if event["RequestType"] == "Delete" else configure(bedrock, event)


def configure(bedrock: Any, event: Event) -> str:
    """Write the configuration; raises ForeignConfigurationError, or what Bedrock says after some minutes.

    While CloudFormation takes an update back, somebody else's configuration is no error: failing once more
    would leave the stack stuck.
    """
    # Its own permission to look is new, too.
    existing = _existing(bedrock, _TEMPORARY_ERRORS | {"AccessDeniedException"})
    if existing is not None and not _is_own(existing, event):
        if cloudformation.is_taken_back(event):
            return "somebody else's configuration stays"
        raise ForeignConfigurationError(_refusal(existing))
    properties = event["ResourceProperties"]
    content = properties["Content"] == "true"
    wanted = {
        "cloudWatchConfig": {"logGroupName": properties["LogGroupName"], "roleArn": properties["RoleArn"]},
        **{f"{kind}DataDeliveryEnabled": content for kind in _CONTENT},
    }
    patiently(
        lambda: bedrock.put_model_invocation_logging_configuration(loggingConfig=wanted),
        _TEMPORARY_ERRORS | _ROLE_ERRORS,
        ROLE_SECONDS,
    )
    return "invocations are logged"


def remove(bedrock: Any, event: Event) -> str:
    """Remove the configuration if it is still this resource's."""
    try:
        existing = _existing(bedrock, _TEMPORARY_ERRORS)
        if existing is None or not _is_own(existing, event):
            return "there is nothing of this resource's to remove"
    except ClientError as error:
        # It may never have been allowed to look: then there is nothing that it made.
        if error.response["Error"]["Code"] != "AccessDeniedException":
            raise
        return "it may not look at the configuration, so that it has made none"
    bedrock.delete_model_invocation_logging_configuration()
    return "invocations are logged no more"


def _refusal(existing: dict[str, Any]) -> str:
    log_group = existing.get("cloudWatchConfig", {}).get("logGroupName")
    return (
        "this account and region log model invocations already, to "
        f"{log_group or existing['s3Config']['bucketName']}. Name the account in "
        "model_access.logged_elsewhere, or remove that configuration"
    )


def _existing(bedrock: Any, temporary_errors: set[str]) -> dict[str, Any] | None:
    """The region's configuration, or None: one that delivers nowhere is none."""
    told = patiently(bedrock.get_model_invocation_logging_configuration, temporary_errors, ROLE_SECONDS)
    found: dict[str, Any] = told.get("loggingConfig") or {}
    return found if found.get("cloudWatchConfig") or found.get("s3Config") else None


def _is_own(existing: dict[str, Any], event: Event) -> bool:
    """Whether a configuration names this resource's log group: the one now or the one before an update."""
    own = {event["ResourceProperties"]["LogGroupName"]}
    if "OldResourceProperties" in event:
        own.add(event["OldResourceProperties"]["LogGroupName"])
    return existing.get("cloudWatchConfig", {}).get("logGroupName") in own
