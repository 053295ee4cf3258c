"""The Edge stack."""

from typing import Literal

import aws_cdk as cdk
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_kms as kms
from aws_cdk import aws_route53 as route53
from constructs import Construct

from gatehouse import names
from gatehouse.load_balancer import LoadBalancer
from gatehouse.network import Network
from gatehouse.object_store import LogBucket
from gatehouse.other_region_outputs import OtherRegionOutputs
from gatehouse.profiles.gatehouse import LIVE_PATH
from gatehouse.public_domain import Failover, PublicDomain
from gatehouse.security_groups import SecurityGroups
from gatehouse.web_acl import WebAcl
from gatehouse.web_acl_policy import WebAclPolicy
from stacks.config.firewall import Firewall
from stacks.config.model import Environment
from stacks.free_text_paths import free_text_path_prefixes
from stacks.lifetimes import log_retention, removal_policy
from stacks.regional_stack import RegionalStack


class EdgeStack(RegionalStack):
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
        super().__init__(scope, construct_id, config=config)
        zone = route53.HostedZone.from_hosted_zone_attributes(
            self, "Zone", hosted_zone_id=config.edge.hosted_zone_id, zone_name=config.edge.hosted_zone_name
        )
        domain = PublicDomain(
            self,
            "Domain",
            domain_name=config.edge.domain_name,
            regional_name=names.regional_domain(config.edge.domain_name, config.region),
            hosted_zone=zone,
            certificate=self._existing_certificate(config),
        )
        logs = LogBucket(self, "AccessLogs", retention=cdk.Duration.days(config.log_retention_days))
        internet_facing = config.edge.scheme == "internet-facing"
        dual_stack = network.has_ipv6 and config.edge.admits_ipv6
        edge = LoadBalancer(
            self,
            "LoadBalancer",
            vpc=network.vpc,
            subnets=network.public_subnets if internet_facing else network.service_subnets,
            security_group=security_groups.load_balancer,
            certificate=domain.certificate,
            logs=logs.bucket,
            internet_facing=internet_facing,
            dual_stack=dual_stack,
            deletion_protection=config.termination_protection,
        )
        WebAcl(
            self,
            "Firewall",
            load_balancer=edge.load_balancer,
            policy=_web_acl_policy(config.edge.firewall),
            log_group_name=names.web_acl_log_group(config.name),
            log_key=log_key,
            log_retention=log_retention(config),
            removal_policy=removal_policy(config),
        )
        domain.point_to(edge.load_balancer, dual_stack=dual_stack, failover=self._failover(config, log_key))
        self.load_balancer = edge.load_balancer
        self.listener = edge.listener
        cdk.CfnOutput(self, "Url", value=f"https://{config.edge.domain_name}")
        cdk.CfnOutput(self, "LoadBalancerDnsName", value=edge.load_balancer.load_balancer_dns_name)

    def _failover(self, config: Environment, log_key: kms.IKey) -> Failover | None:
        """This region's part in the public name; None if it is the only one.

        The plan's health check keeps callers away from a region that was left, also once it is back. It is
        made with the stack Recovery, which a cold standby gets when it takes over, and never changes.
        """
        if config.standby_region is None:
            return None
        health_check_id = None
        if config.standby.mode == "warm":
            recovery = OtherRegionOutputs(
                self,
                "Recovery",
                stack_name=names.stack(config.name, names.standby_stack("Recovery")),
                region=config.standby_region,
                outputs=[names.health_check_output(config.region)],
                log_key=log_key,
                log_retention=log_retention(config),
                removal_policy=removal_policy(config),
            )
            health_check_id = recovery.value(names.health_check_output(config.region))
        return Failover(
            region=config.region,
            is_primary=not config.is_standby,
            health_check_id=health_check_id,
            health=region_health(config),
            live_path=LIVE_PATH,
        )

    def _existing_certificate(self, config: Environment) -> acm.ICertificate | None:
        arn = config.edge.certificate_arn
        return acm.Certificate.from_certificate_arn(self, "Certificate", arn) if arn else None


def region_health(config: Environment) -> Literal["endpoint", "targets", "nothing"]:
    """By what Route 53 sees that callers have to leave a region."""
    if config.edge.is_open_to_all:
        return "endpoint"
    # A canary has two target groups, of which one is empty or begins to fill: callers would be sent away at
    # each deployment. Without a plan there is nothing else that could send them.
    if config.service.canary_percent == 0 or config.standby.mode == "cold":
        return "targets"
    return "nothing"


def _web_acl_policy(firewall: Firewall) -> WebAclPolicy:
    return WebAclPolicy(
        free_text_paths=(*free_text_path_prefixes(), *firewall.free_text_paths),
        requests_per_5_minutes_per_address=firewall.requests_per_5_minutes_per_address,
        requests_per_5_minutes_per_key=firewall.requests_per_5_minutes_per_key,
        trusted_networks=firewall.trusted_cidrs,
        blocked_networks=firewall.blocked_cidrs,
        allowed_countries=firewall.allowed_countries,
        blocked_countries=firewall.blocked_countries,
        anti_ddos=firewall.anti_ddos,
        block_anonymous_networks=firewall.block_anonymous_networks,
        bot_control=firewall.bot_control,
    )
