"""A custom resource of CloudFormation: a domain that Amazon SES has verified.

Property: Domain. SES verifies a domain some minutes after its records have appeared in DNS, and Cognito takes
none that is not verified: what uses the domain waits for this resource. Removing it does nothing.
"""

from time import monotonic, sleep
from typing import Any

import boto3

from gatehouse.functions import cloudformation
from gatehouse.functions.cloudformation import Event

POLL_SECONDS = 10.0


class NotVerifiedError(Exception):
    """SES did not verify the domain in time; the message says what to look at."""


@cloudformation.answered
def on_event(event: Event, context: Any) -> str:
    """Wait for the domain unless it goes."""
    if event["RequestType"] == "Delete":
        return "there is nothing to wait for"
    domain = event["ResourceProperties"]["Domain"]
    wait(boto3.client("sesv2"), domain, cloudformation.deadline(context))
    return f"mail may be sent from {domain}"


def wait(ses: Any, domain: str, deadline: float) -> None:
    """Wait until mail may be sent from the domain; raises NotVerifiedError at the deadline."""
    while not ses.get_email_identity(EmailIdentity=domain)["VerifiedForSendingStatus"]:
        if monotonic() + POLL_SECONDS > deadline:
            raise NotVerifiedError(
                f"Amazon SES has not found the DKIM records of {domain} yet; see whether its hosted zone is "
                "the one that the internet asks (dig NS), then deploy again"
            )
        sleep(POLL_SECONDS)
