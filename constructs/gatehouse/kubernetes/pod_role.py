"""The AWS roles of pods."""

from collections.abc import Mapping, Sequence

import aws_cdk as cdk
from aws_cdk import aws_eks as eks
from aws_cdk import aws_iam as iam
from constructs import Construct, IDependable

from gatehouse.kubernetes.cluster_reference import ClusterReference


class PodRole(Construct):
    """A role that the pods of one service account have, and nobody else.

    `annotations` belong on that service account: none with EKS Pod Identity, the role's ARN where the
    cluster's OpenID Connect provider vouches for it. Pods that start before `ready` start without the role.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        cluster: ClusterReference,
        namespace: str,
        service_account: str,
        role_name: str | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        provider = cluster.oidc_provider
        self.role = iam.Role(
            self,
            "Role",
            role_name=role_name,
            assumed_by=pods_of_cluster(self, cluster.arn)
            if provider is None
            else _pods_by_provider(self, provider, namespace, service_account),
        )
        self.annotations: Mapping[str, str] = {}
        self.ready: Sequence[IDependable] = (self.role,)
        if provider is not None:
            self.annotations = {"eks.amazonaws.com/role-arn": self.role.role_arn}
            return
        association = eks.CfnPodIdentityAssociation(
            self,
            "Association",
            cluster_name=cluster.name,
            namespace=namespace,
            service_account=service_account,
            role_arn=self.role.role_arn,
            # EKS would tag the session, and its tags go along when the gateway assumes the role of another
            # account: such roles allow the tags that they know and no others.
            disable_session_tags=True,
        )
        self.ready = (self.role, association)


def pods_of_cluster(
    scope: Construct, cluster_arn: str, *, tags: Mapping[str, str] | None = None
) -> iam.IPrincipal:
    """Who assumes a role by EKS Pod Identity: this cluster, for an association that this account made.

    `tags` are those of the session that it has to carry, by their keys (`kubernetes-namespace`).
    """
    tagged = {f"aws:RequestTag/{key}": value for key, value in (tags or {}).items()}
    service = iam.ServicePrincipal(
        "pods.eks.amazonaws.com",
        conditions={
            "StringEquals": {"aws:SourceAccount": cdk.Stack.of(scope).account, **tagged},
            "ArnEquals": {"aws:SourceArn": cluster_arn},
        },
    )
    return service.with_session_tags()


def _pods_by_provider(
    scope: Construct, provider: str, namespace: str, service_account: str
) -> iam.IPrincipal:
    """Who assumes a role with a token that the cluster's OpenID Connect provider signed."""
    arn = cdk.Stack.of(scope).format_arn(
        service="iam", region="", resource="oidc-provider", resource_name=provider
    )
    return iam.WebIdentityPrincipal(
        arn,
        {
            "StringEquals": {
                f"{provider}:aud": "sts.amazonaws.com",
                f"{provider}:sub": f"system:serviceaccount:{namespace}:{service_account}",
            }
        },
    )
