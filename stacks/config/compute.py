"""The section `compute`."""

from collections.abc import Iterator
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
        r"^oidc\.eks\.[a-z0-9-]+\.amazonaws\.com(\.cn)?/id/[0-9A-F]{32}$",
        "the cluster's OpenID Connect provider without https://",
        "oidc.eks.us-east-1.amazonaws.com/id/EXAMPLED539D4633E53DE1B71EXAMPLE",
    ),
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
            "takes them from `gatehouse manifests`."
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
        given = sorted(self.model_fields_set - {"platform"})
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
        if self.namespace == "default" or self.namespace.startswith("kube-"):
            allowed = "a namespace of the gateway's own, whose policies hold for all in it"
            yield Breach(("namespace",), self.namespace, allowed, "write gatehouse, or another name")
        for index, cidr in enumerate(self.public_endpoint_cidrs):
            if cidr.prefixlen == 0:
                allowed = "a network, not all of them: whoever reaches the API can try to sign in"
                yield Breach(("public_endpoint_cidrs", index), str(cidr), allowed, "name your own networks")
