"""The web application firewall in front of the load balancer."""

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_wafv2 as wafv2
from constructs import Construct

from gatehouse.web_acl_policy import WebAclPolicy
from gatehouse.web_acl_rules import KEY_HEADERS, rules
from gatehouse.web_acl_statements import address_in, any_of, response_bodies, visibility

# Headers that carry callers' keys and sessions.
PROTECTED_HEADERS = (*KEY_HEADERS, "proxy-authorization", "cookie")


class WebAcl(Construct):
    """An AWS WAF web ACL for an API that carries prompts, attached to `load_balancer`, with encrypted logs.

    The logs hold the requests that were refused, without callers' keys and without what bodies and
    query strings say.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        load_balancer: elbv2.IApplicationLoadBalancer,
        policy: WebAclPolicy,
        log_group_name: str,
        log_key: kms.IKey,
        log_retention: logs.RetentionDays,
        removal_policy: cdk.RemovalPolicy,
    ) -> None:
        super().__init__(scope, construct_id)
        self.web_acl = wafv2.CfnWebACL(
            self,
            "WebAcl",
            scope="REGIONAL",
            default_action=wafv2.CfnWebACL.DefaultActionProperty(allow={}),
            visibility_config=visibility("Gatehouse"),
            rules=rules(
                policy,
                trusted=self._from_networks("TrustedNetworks", policy.trusted_networks),
                blocked=self._from_networks("BlockedNetworks", policy.blocked_networks),
            ),
            custom_response_bodies=response_bodies(),
            data_protection_config=_data_protection(),
            # On the load balancer itself and free; the other mode also slows addresses down in calm times.
            on_source_d_do_s_protection_config=wafv2.CfnWebACL.OnSourceDDoSProtectionConfigProperty(
                alb_low_reputation_mode="ACTIVE_UNDER_DDOS"
            ),
        )
        wafv2.CfnWebACLAssociation(
            self,
            "Association",
            resource_arn=load_balancer.load_balancer_arn,
            web_acl_arn=self.web_acl.attr_arn,
        )
        log_group = logs.LogGroup(
            self,
            "LogGroup",
            log_group_name=log_group_name,
            encryption_key=log_key,
            retention=log_retention,
            removal_policy=removal_policy,
        )
        self._deliver_logs(log_group)

    def _from_networks(
        self, construct_id: str, networks: Sequence[IPv4Network | IPv6Network]
    ) -> wafv2.CfnWebACL.StatementProperty | None:
        """Match requests from networks, by an IP set for each version of the protocol that there is."""
        ip_sets = [
            wafv2.CfnIPSet(
                self,
                f"{construct_id}V{version}",
                scope="REGIONAL",
                ip_address_version=f"IPV{version}",
                addresses=addresses,
            )
            for version in (4, 6)
            if (addresses := [str(network) for network in networks if network.version == version])
        ]
        return any_of([address_in(ip_set.attr_arn) for ip_set in ip_sets]) if ip_sets else None

    def _deliver_logs(self, log_group: logs.LogGroup) -> None:
        stack = cdk.Stack.of(self)
        grant = log_group.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.ServicePrincipal("delivery.logs.amazonaws.com")],
                actions=["logs:CreateLogStream", "logs:PutLogEvents"],
                resources=[log_group.log_group_arn],
                conditions={"StringEquals": {"aws:SourceAccount": stack.account}},
            )
        )
        logging = wafv2.CfnLoggingConfiguration(
            self,
            "Logging",
            resource_arn=self.web_acl.attr_arn,
            # log_group_arn ends in ":*", which AWS WAF refuses.
            log_destination_configs=[
                stack.format_arn(
                    service="logs",
                    resource="log-group",
                    resource_name=log_group.log_group_name,
                    arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
                )
            ],
            logging_filter=_only_refused(),
        )
        if grant.policy_dependable is not None:
            logging.node.add_dependency(grant.policy_dependable)


def _data_protection() -> wafv2.CfnWebACL.DataProtectionConfigProperty:
    """Keep secrets out of all that AWS WAF writes down.

    Not the logging configuration's redacted fields: these leave a key in the record of the rule that
    counts by it, and what a rule found in a body.
    """
    fields = [
        wafv2.CfnWebACL.FieldToProtectProperty(
            field_type="SINGLE_HEADER", field_keys=list(PROTECTED_HEADERS)
        ),
        # The API reads no secret from a query string, but some providers' clients put their key there.
        wafv2.CfnWebACL.FieldToProtectProperty(field_type="QUERY_STRING"),
        wafv2.CfnWebACL.FieldToProtectProperty(field_type="BODY"),
    ]
    return wafv2.CfnWebACL.DataProtectionConfigProperty(
        data_protections=[
            wafv2.CfnWebACL.DataProtectProperty(field=field, action="SUBSTITUTION") for field in fields
        ]
    )


def _only_refused() -> dict[str, Any]:
    """Log what was refused: the load balancer logs every request, and a prompt that counts is no event."""
    refused = {"ActionCondition": {"Action": "BLOCK"}}
    return {
        "DefaultBehavior": "DROP",
        "Filters": [{"Behavior": "KEEP", "Requirement": "MEETS_ANY", "Conditions": [refused]}],
    }
