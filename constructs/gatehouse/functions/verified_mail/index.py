"""A custom resource of CloudFormation: a domain that Amazon SES has verified.

Property: Domain. SES verifies a domain some minutes after its records have appeared in DNS, and Cognito takes
none that is not verified: what uses the domain waits for this resource. Removing it does nothing.

CloudFormation waits for an answer and takes none for an hour's silence: every way out of here gives one.
"""

import json
import urllib.request
from time import monotonic, sleep
from typing import Any

import boto3

POLL_SECONDS = 10.0
# Kept back from the function's own time for giving the answer.
RESERVED_SECONDS = 30.0
# CloudFormation's answer may have 4096 bytes in all.
_LONGEST_REASON = 2000

Event = dict[str, Any]


class NotVerifiedError(Exception):
    """SES did not verify the domain in time; the message says what to look at."""


def on_event(event: Event, context: Any) -> None:
    """Answer one request of CloudFormation's; raises nothing, for Lambda would only try again."""
    deadline = monotonic() + context.get_remaining_time_in_millis() / 1000 - RESERVED_SECONDS
    try:
        if event["RequestType"] != "Delete":
            wait(boto3.client("sesv2"), event["ResourceProperties"]["Domain"], deadline)
        status, reason = "SUCCESS", ""
    except Exception as error:  # noqa: BLE001 (an exception that leaves here is an hour of waiting)
        status, reason = "FAILED", f"{type(error).__name__}: {error}"
    print(json.dumps({"request": event["RequestType"], "status": status, "reason": reason}))
    answer(event, status, reason)


def wait(ses: Any, domain: str, deadline: float) -> None:
    """Wait until mail may be sent from the domain; raises NotVerifiedError at the deadline."""
    while not ses.get_email_identity(EmailIdentity=domain)["VerifiedForSendingStatus"]:
        if monotonic() + POLL_SECONDS > deadline:
            raise NotVerifiedError(
                f"Amazon SES has not found the DKIM records of {domain} yet; see whether its hosted zone is "
                "the one that the internet asks (dig NS), then deploy again"
            )
        sleep(POLL_SECONDS)


def answer(event: Event, status: str, reason: str) -> None:
    """Tell CloudFormation; an answer that does not arrive is given again."""
    body = {
        "Status": status,
        "Reason": reason[:_LONGEST_REASON],
        "PhysicalResourceId": event.get("PhysicalResourceId") or event["LogicalResourceId"],
        "StackId": event["StackId"],
        "RequestId": event["RequestId"],
        "LogicalResourceId": event["LogicalResourceId"],
    }
    request = urllib.request.Request(  # noqa: S310 (CloudFormation's own address)
        event["ResponseURL"], data=json.dumps(body).encode(), method="PUT", headers={"Content-Type": ""}
    )
    for attempt in range(3):
        try:
            with urllib.request.urlopen(request, timeout=5):  # noqa: S310 (the same)
                return
        except OSError as error:
            print(json.dumps({"answer_attempt": attempt + 1, "error": str(error)}))
            sleep(1)
