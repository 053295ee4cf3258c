"""The Edge stack."""

import aws_cdk as cdk
from aws_cdk import aws_kms as kms
from aws_cdk import aws_route53 as route53
from constructs import Construct

from gatehouse import names
from gatehouse.load_balancer import LoadBalancer
from gatehouse.network import Network
from gatehouse.object_store import LogBucket
from gatehouse.public_domain import PublicDomain
from gatehouse.security_groups import SecurityGroups
from gatehouse.web_acl import WebAcl
from stacks.config.model import Environment
from stacks.lifetimes import log_retention, removal_policy


class EdgeStack(cdk.Stack):
    """Where callers arrive: name, certificate, firewall and load balancer."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        config: Environment,
        network: Network,
        security_groups: SecurityGroups,
        log_key: kms.IKey,
    ) -> None:
        super().__init__(scope, construct_id, termination_protection=config.termination_protection)
        zone = route53.HostedZone.from_hosted_zone_attributes(
            self, "Zone", hosted_zone_id=config.edge.hosted_zone_id, zone_name=config.edge.hosted_zone_name
        )
        domain = PublicDomain(self, "Domain", domain_name=config.edge.domain_name, hosted_zone=zone)
        logs = LogBucket(self, "AccessLogs", retention=cdk.Duration.days(config.log_retention_days))
        edge = LoadBalancer(
            self,
            "LoadBalancer",
            vpc=network.vpc,
            subnets=network.public_subnets,
            security_group=security_groups.load_balancer,
            certificate=domain.certificate,
            logs=logs.bucket,
            deletion_protection=config.termination_protection,
        )
        WebAcl(
            self,
            "Firewall",
            load_balancer=edge.load_balancer,
            requests_per_5_minutes_per_address=config.edge.requests_per_5_minutes_per_address,
            log_group_name=names.web_acl_log_group(config.name),
            log_key=log_key,
            log_retention=log_retention(config),
            removal_policy=removal_policy(config),
        )
        domain.point_to(edge.load_balancer)
        self.load_balancer = edge.load_balancer
        self.listener = edge.listener
        cdk.CfnOutput(self, "Url", value=f"https://{config.edge.domain_name}")
        cdk.CfnOutput(self, "LoadBalancerDnsName", value=edge.load_balancer.load_balancer_dns_name)
