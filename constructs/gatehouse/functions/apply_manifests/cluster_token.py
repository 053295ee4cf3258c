"""Bearer tokens by which a cluster of EKS knows an IAM role.

A token is the address of a signed request that asks AWS STS who has signed it. The cluster makes the request
and learns the role; the signature covers the cluster's name, so that no other cluster can use it.
"""

import base64
from typing import Any

from botocore.signers import RequestSigner

PREFIX = "k8s-aws-v1."
CLUSTER_HEADER = "x-k8s-aws-id"
# Clusters take a token for 15 minutes from its signature on, whatever time its request has; they refuse one
# without that time. https://github.com/kubernetes-sigs/aws-iam-authenticator#api-authorization-from-outside-a-cluster
LIFETIME_SECONDS = 900
_REQUEST_SECONDS = 60


def new_token(session: Any, cluster: str) -> str:
    """A token for a cluster's API, made from the credentials of a boto3 session; asks nobody."""
    sts = session.client("sts")
    region = sts.meta.region_name
    signer = RequestSigner(
        sts.meta.service_model.service_id, region, "sts", "v4", session.get_credentials(), session.events
    )
    url: str = signer.generate_presigned_url(
        {
            "method": "GET",
            "url": f"{sts.meta.endpoint_url}/?Action=GetCallerIdentity&Version=2011-06-15",
            "headers": {CLUSTER_HEADER: cluster},
            "body": {},
            "context": {},
        },
        operation_name="",
        region_name=region,
        expires_in=_REQUEST_SECONDS,
    )
    return PREFIX + base64.urlsafe_b64encode(url.encode()).rstrip(b"=").decode()
