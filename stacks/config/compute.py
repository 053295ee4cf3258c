"""The section `compute`."""

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Network
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from gateway.catalog.names import RoleArn
from gateway.validation import Breach, pattern, refuse
from stacks.config.section import Section

ClusterName = Annotated[
    str,
    pattern(
        r"^[0-9A-Za-z][0-9A-Za-z_-]{0,99}$",
        "the name of an EKS cluster: up to 100 letters, digits, _ and -",
        "platform",
    ),
]
Namespace = Annotated[
    str,
    pattern(
        r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$",
        "the name of a Kubernetes namespace: up to 63 lower-case letters, digits and -",
        "gatehouse",
    ),
]
SecurityGroupId = Annotated[
    str, pattern(r"^sg-[0-9a-f]{8,17}$", "the ID of a security group", "sg-0123456789abcdef0")
]
OidcProvider = Annotated[
    str,
    pattern(
        r"^oidc\.eks\.[a-z0-9-]+\.amazonaws\.com(\.cn)?/id/[0-9A-Z]{32}$",
        "the cluster's OpenID Connect provider without https://",
        "oidc.eks.us-east-1.amazonaws.com/id/EXAMPLED539D4633E53DE1B71EXAMPLE",
    ),
]


# Of add-ons, whose pods are not restricted as the gateway's are.
_NAMESPACES_OF_OTHERS = ("amazon-cloudwatch", "aws-secrets-manager", "default")
# EKS takes no address that the internet does not route (RFC 1918, 6598 and 3927).
_NOT_PUBLIC = [
    IPv4Network(block)
    for block in ("10.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16")
]


class ExistingCluster(Section):
    """A cluster that is already there, in the VPC that `network.existing` names."""

    name: ClusterName
    security_group_id: Annotated[
        SecurityGroupId,
        Field(description="The cluster's own, which guards its API: the deployment is let in."),
    ]
    pod_security_group_id: Annotated[
        SecurityGroupId,
        Field(description="What the pods' nodes carry: database, cache and load balancer are opened to it."),
    ]
    identity: Annotated[
        Literal["pod-identity", "oidc"],
        Field(description="How pods get their roles: EKS Pod Identity, or the cluster's OIDC provider."),
    ] = "pod-identity"
    oidc_provider: OidcProvider | None = None
    load_balancing: Annotated[
        Literal["auto-mode", "controller"],
        Field(description="Who registers pods: EKS Auto Mode, or the AWS Load Balancer Controller in it."),
    ] = "auto-mode"

    @model_validator(mode="after")
    def _rules(self) -> Self:
        refuse(self._breaches())
        return self

    def _breaches(self) -> Iterator[Breach]:
        if self.identity == "oidc" and self.oidc_provider is None:
            allowed = "the cluster's provider, as identity is oidc"
            yield Breach(("oidc_provider",), None, allowed, "write it, or pod-identity in identity")
        if self.identity == "pod-identity" and self.oidc_provider is not None:
            allowed = "left out, as identity is pod-identity"
            yield Breach(
                ("oidc_provider",), self.oidc_provider, allowed, "remove it, or write oidc in identity"
            )


class Compute(Section):
    """Where the gateway runs: tasks on ECS Fargate, or pods on EKS."""

    platform: Literal["ecs", "eks"] = "ecs"
    kubernetes_version: Annotated[
        Literal["1.35", "1.36"], Field(description="Of a cluster that is made here.")
    ] = "1.36"
    public_endpoint_cidrs: Annotated[
        tuple[IPv4Network, ...],
        Field(
            max_length=40,
            examples=[["198.51.100.0/24"]],
            description="From where the cluster's API is reached beside its VPC; none keeps it private.",
        ),
    ] = ()
    administrator_role_arns: Annotated[
        tuple[RoleArn, ...],
        Field(description="Who may do everything in the cluster that is made here: nobody else may."),
    ] = ()
    namespace: Namespace = "gatehouse"
    apply: Annotated[
        bool,
        Field(
            description="Apply the manifests at each deployment; false leaves that to GitOps, which "
            "takes them from `gatehouse manifests`. On the change from true to false: docs/kubernetes.md."
        ),
    ] = True
    existing: Annotated[
        ExistingCluster | None, Field(description="Use this cluster; without it one is made.")
    ] = None

    @model_validator(mode="after")
    def _rules(self) -> Self:
        refuse(self._breaches())
        return self

    def _breaches(self) -> Iterator[Breach]:
        given = [
            name for name, field in type(self).model_fields.items() if getattr(self, name) != field.default
        ]
        if self.platform == "ecs":
            for field in given:
                allowed = "left out, as platform is ecs"
                yield Breach((field,), getattr(self, field), allowed, "remove it, or write eks in platform")
            return
        if self.existing is not None:
            for field in ("kubernetes_version", "public_endpoint_cidrs", "administrator_role_arns"):
                if field in given:
                    allowed = "left out beside existing, whose cluster has its own"
                    yield Breach((field,), getattr(self, field), allowed, "remove it")
        elif not self.apply and not self.administrator_role_arns:
            allowed = "at least one, as apply is false: nobody else could apply the manifests"
            yield Breach(
                ("administrator_role_arns",), "empty", allowed, "name a role, or write true in apply"
            )
        if self.namespace in _NAMESPACES_OF_OTHERS or self.namespace.startswith("kube-"):
            allowed = "a namespace of the gateway's own, whose policies hold for all in it"
            yield Breach(("namespace",), self.namespace, allowed, "write gatehouse, or another name")
        yield from _not_a_public_network(self.public_endpoint_cidrs)
        for index, role_arn in enumerate(self.administrator_role_arns):
            if role_arn in self.administrator_role_arns[:index]:
                path = ("administrator_role_arns", index)
                yield Breach(path, role_arn, "each role once", "remove it, or name another role")


def _not_a_public_network(cidrs: Sequence[IPv4Network]) -> Iterator[Breach]:
    for index, cidr in enumerate(cidrs):
        path = ("public_endpoint_cidrs", index)
        if cidr.prefixlen == 0:
            allowed = "a network, not all of them: whoever reaches the API can try to sign in"
            yield Breach(path, str(cidr), allowed, "name your own networks")
        elif any(cidr.overlaps(block) for block in _NOT_PUBLIC):
            allowed = "public addresses: private ones reach the API inside the VPC alone"
            yield Breach(path, str(cidr), allowed, "name the addresses that your networks have outside")
        elif cidr in cidrs[:index]:
            yield Breach(path, str(cidr), "each network once", "remove it, or name another network")
