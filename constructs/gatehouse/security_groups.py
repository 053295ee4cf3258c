"""Who may open a connection to whom, inside the VPC and from outside."""

from collections.abc import Sequence

from aws_cdk import aws_ec2 as ec2
from constructs import Construct

from gatehouse.findings import acknowledge

HTTP = ec2.Port.tcp(80)
HTTPS = ec2.Port.tcp(443)
ANYWHERE = frozenset({"0.0.0.0/0", "::/0"})


class SecurityGroups(Construct):
    """Every security group of the platform, in one place so that stacks using them form no cycle.

    The chain is callers → `load_balancer` → `service` → `database`, `cache`, `endpoints`. Nothing else is let
    in, and only `service` opens connections to elsewhere, with `has_ipv6` over both protocols. A load
    balancer that verifies tokens or signs people in has to reach their issuer: `load_balancer_asks_issuer`.
    `allowed_cidrs` may hold blocks of IPv4 and IPv6 addresses. `existing_service_group_id` is that of nodes
    which the platform did not make: it lets the load balancer in, and their owners say whom they reach.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        vpc: ec2.IVpc,
        has_ipv6: bool,
        load_balancer_asks_issuer: bool,
        allowed_cidrs: Sequence[str],
        service_port: int,
        database_port: int,
        cache_port: int,
        existing_service_group_id: str | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        self.load_balancer = self._group("LoadBalancer", vpc, "Callers to the load balancer")
        self.service: ec2.ISecurityGroup = (
            self._group("Service", vpc, "Tasks of the gateway")
            if existing_service_group_id is None
            else ec2.SecurityGroup.from_security_group_id(self, "Service", existing_service_group_id)
        )
        self.database = self._group("Database", vpc, "PostgreSQL")
        self.cache = self._group("Cache", vpc, "Valkey")
        self.endpoints = self._group("Endpoints", vpc, "Interface endpoints of AWS services")

        for cidr in allowed_cidrs:
            callers = ec2.Peer.ipv6(cidr) if ":" in cidr else ec2.Peer.ipv4(cidr)
            self.load_balancer.add_ingress_rule(callers, HTTPS, "Callers")
            self.load_balancer.add_ingress_rule(callers, HTTP, "Callers, redirected to HTTPS")
        if not ANYWHERE.isdisjoint(allowed_cidrs):
            acknowledge(
                self.load_balancer,
                {"EC23": "The configuration admits callers from anywhere; AWS WAF filters them first."},
            )
        if load_balancer_asks_issuer:
            # Over IPv4 alone, whatever addresses the load balancer has.
            self.load_balancer.add_egress_rule(ec2.Peer.any_ipv4(), HTTPS, "Issuer of tokens")
        _connect(self.load_balancer, self.service, service_port, "tasks of the gateway")
        _connect(self.service, self.database, database_port, "PostgreSQL")
        _connect(self.service, self.cache, cache_port, "Valkey")
        self.endpoints.add_ingress_rule(self.service, HTTPS, "From tasks of the gateway")
        # Not the endpoints alone: S3 is reached by a gateway endpoint, whose addresses are public, and
        # models of other regions and providers through NAT.
        self.service.add_egress_rule(ec2.Peer.any_ipv4(), HTTPS, "AWS services and model providers")
        if has_ipv6:
            self.service.add_egress_rule(ec2.Peer.any_ipv6(), HTTPS, "AWS services and model providers")

    def _group(self, construct_id: str, vpc: ec2.IVpc, description: str) -> ec2.SecurityGroup:
        return ec2.SecurityGroup(
            self, construct_id, vpc=vpc, description=description, allow_all_outbound=False
        )


def _connect(source: ec2.ISecurityGroup, target: ec2.ISecurityGroup, port: int, target_name: str) -> None:
    source.add_egress_rule(target, ec2.Port.tcp(port), f"To {target_name}")
    target.add_ingress_rule(source, ec2.Port.tcp(port), f"From {source.node.id}")
