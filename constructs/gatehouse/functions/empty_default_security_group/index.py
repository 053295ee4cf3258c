"""A custom resource of CloudFormation: a VPC's default security group, without the rules that EC2 gives it.

Properties: SecurityGroup (its ID), Ipv6 (which changes when the VPC gets a block of IPv6 addresses, and the
group a rule for them). Creating and updating it takes the rules away; a rule that is not there is none to
take away. Removing it does nothing: the group goes with its VPC.

CloudFormation waits for an answer: every way out of here gives one.
"""

import json
import urllib.request
from time import monotonic, sleep
from typing import Any

import boto3
from botocore.exceptions import ClientError

# A role's policies take effect some seconds after CloudFormation has created them.
PERMISSION_SECONDS = 60.0
RETRY_SECONDS = 5.0
# CloudFormation's answer may have 4096 bytes in all.
_LONGEST_REASON = 2000

Event = dict[str, Any]


def on_event(event: Event, _context: object) -> None:
    """Answer one request of CloudFormation's; raises nothing, for Lambda would only try again."""
    try:
        if event["RequestType"] != "Delete":
            empty(boto3.client("ec2"), event["ResourceProperties"]["SecurityGroup"])
        status, reason = "SUCCESS", "the group has none of the rules that it was created with"
    except Exception as error:  # noqa: BLE001 (an exception that leaves here is minutes of waiting)
        status, reason = "FAILED", f"{type(error).__name__}: {error}"
    print(json.dumps({"request": event["RequestType"], "status": status, "reason": reason}))
    answer(event, status, reason)


def empty(ec2: Any, group: str) -> None:
    """Take away what EC2 puts into the default security group of every VPC."""
    _revoke(ec2.revoke_security_group_ingress, group, {"UserIdGroupPairs": [{"GroupId": group}]})
    _revoke(ec2.revoke_security_group_egress, group, {"IpRanges": [{"CidrIp": "0.0.0.0/0"}]})
    _revoke(ec2.revoke_security_group_egress, group, {"Ipv6Ranges": [{"CidrIpv6": "::/0"}]})


def _revoke(revoke: Any, group: str, peers: dict[str, Any]) -> None:
    last = monotonic() + PERMISSION_SECONDS
    while True:
        try:
            revoke(GroupId=group, IpPermissions=[{"IpProtocol": "-1", **peers}])
        except ClientError as error:
            code = error.response["Error"]["Code"]
            if code == "InvalidPermission.NotFound":
                return
            if code != "UnauthorizedOperation" or monotonic() > last:
                raise
            sleep(RETRY_SECONDS)
        else:
            return


def answer(event: Event, status: str, reason: str) -> None:
    """Give CloudFormation its answer, at the address that it signed for this request."""
    body = {
        "Status": status,
        "Reason": reason[:_LONGEST_REASON],
        # Always the same, so that CloudFormation never removes an earlier one.
        "PhysicalResourceId": event.get("PhysicalResourceId", event["LogicalResourceId"]),
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
