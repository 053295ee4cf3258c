"""A custom resource of CloudFormation: a VPC's default security group, without the rules that EC2 gives it.

Properties: SecurityGroup (its ID), Ipv6 (which changes when the VPC gets a block of IPv6 addresses, and the
group a rule for them). Creating and updating it takes the rules away; a rule that is not there is none to
take away. Removing it does nothing: the group goes with its VPC.
"""

from typing import Any

import boto3
from botocore.exceptions import ClientError

from gatehouse.functions import cloudformation
from gatehouse.functions.cloudformation import Event
from gatehouse.functions.patience import patiently

# A role's policies take effect some seconds after CloudFormation has created them.
PERMISSION_SECONDS = 60.0


@cloudformation.answered
def on_event(event: Event, _context: Any) -> str:
    """Empty the group unless it goes."""
    if event["RequestType"] == "Delete":
        return "the group goes with its VPC"
    empty(boto3.client("ec2"), event["ResourceProperties"]["SecurityGroup"])
    return "the group has none of the rules that it was created with"


def empty(ec2: Any, group: str) -> None:
    """Take away what EC2 puts into the default security group of every VPC."""
    _revoke(ec2.revoke_security_group_ingress, group, {"UserIdGroupPairs": [{"GroupId": group}]})
    _revoke(ec2.revoke_security_group_egress, group, {"IpRanges": [{"CidrIp": "0.0.0.0/0"}]})
    _revoke(ec2.revoke_security_group_egress, group, {"Ipv6Ranges": [{"CidrIpv6": "::/0"}]})


def _revoke(revoke: Any, group: str, peers: dict[str, Any]) -> None:
    rule = {"IpProtocol": "-1", **peers}
    try:
        patiently(
            lambda: revoke(GroupId=group, IpPermissions=[rule]), {"UnauthorizedOperation"}, PERMISSION_SECONDS
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "InvalidPermission.NotFound":
            raise
