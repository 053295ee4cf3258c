"""In which order an environment's stacks deploy, and which of them decide how long it takes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from operations.assembly import Stack

# Minutes that creating one resource of a type usually takes in AWS: estimates, for comparing paths. Resources
# of a stack are created side by side, so that the slowest one counts.
CREATION_MINUTES = {
    "AWS::CertificateManager::Certificate": 3.0,
    "AWS::Cognito::UserPoolDomain": 1.0,
    "AWS::EC2::NatGateway": 2.0,
    "AWS::EC2::VPCEndpoint": 2.0,
    "AWS::ECS::Service": 4.0,
    "AWS::EKS::Addon": 2.0,
    "AWS::EKS::Cluster": 10.0,
    "AWS::ElastiCache::ReplicationGroup": 12.0,
    "AWS::ElasticLoadBalancingV2::LoadBalancer": 3.0,
    "AWS::RDS::DBInstance": 15.0,
    "AWS::S3::MultiRegionAccessPoint": 15.0,
    "Custom::DatabaseMigration": 2.0,
    "Custom::KubernetesManifests": 4.0,
    "Custom::PlanHealthChecks": 5.0,
}
# Each of these waits for the one before it: together they count as one.
_CHAIN = ("AWS::EKS::Cluster", "AWS::EKS::Addon", "Custom::KubernetesManifests")
_OTHERWISE = 0.5


def waves(stacks: Mapping[str, Stack]) -> list[list[str]]:
    """Group the stacks' names: all of a group deploy at the same time, after all groups before it."""

    @cache
    def wave(name: str) -> int:
        return max((wave(before) + 1 for before in stacks[name].after), default=0)

    grouped: list[list[str]] = []
    for name in sorted(stacks, key=lambda each: (wave(each), each)):
        if wave(name) == len(grouped):
            grouped.append([])
        grouped[wave(name)].append(name)
    return grouped


def minutes(stack: Stack) -> float:
    """About how long the stack's creation takes."""
    kinds = {resource.type for resource in stack.resources.values()}
    chain = sum(CREATION_MINUTES[kind] for kind in _CHAIN if kind in kinds)
    return max(chain, *(CREATION_MINUTES.get(kind, _OTHERWISE) for kind in kinds), 0.0)


def slowest_type(stack: Stack) -> str:
    """The type of resource that decides how long the stack's creation takes; empty if none is slow."""
    kinds = {resource.type for resource in stack.resources.values()} & CREATION_MINUTES.keys()
    return max(sorted(kinds), key=CREATION_MINUTES.__getitem__, default="")


def critical_path(stacks: Mapping[str, Stack]) -> list[str]:
    """The stacks, each after the one before it, that together take longest."""

    @cache
    def longest(name: str) -> tuple[float, tuple[str, ...]]:
        taken, path = max((longest(before) for before in stacks[name].after), default=(0.0, ()))
        return taken + minutes(stacks[name]), (*path, name)

    return list(max(map(longest, stacks), default=(0.0, ()))[1])
