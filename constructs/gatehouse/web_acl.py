"""The web application firewall in front of the load balancer."""

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk import aws_wafv2 as wafv2
from constructs import Construct

# A prompt is text of any kind and size: it may quote scripts, paths, URLs and exploits, and it is data
# to the gateway. Rules that judge the body would refuse honest callers, so they only count.
COUNTED_COMMON_RULES = (
    "SizeRestrictions_BODY",
    "CrossSiteScripting_BODY",
    "GenericLFI_BODY",
    "GenericRFI_BODY",
    "EC2MetaDataSSRF_BODY",
)
COUNTED_BAD_INPUT_RULES = ("JavaDeserializationRCE_BODY", "Log4JRCE_BODY", "ReactJSRCE_BODY")
# Headers that carry callers' keys and sessions never reach a log.
REDACTED_HEADERS = ("authorization", "x-api-key", "api-key", "cookie")
EVALUATION_SECONDS = 300


class WebAcl(Construct):
    """An AWS WAF web ACL for an API that carries prompts, attached to `load_balancer`, with encrypted logs.

    It blocks addresses of bad reputation, addresses above `requests_per_5_minutes_per_address`, and
    what the common and known-bad-input rules find outside the body.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        load_balancer: elbv2.IApplicationLoadBalancer,
        requests_per_5_minutes_per_address: int,
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
            visibility_config=_visibility("Gatehouse"),
            rules=[
                _rate_rule(0, requests_per_5_minutes_per_address),
                _managed_rule(1, "AWSManagedRulesAmazonIpReputationList"),
                _managed_rule(2, "AWSManagedRulesCommonRuleSet", COUNTED_COMMON_RULES),
                _managed_rule(3, "AWSManagedRulesKnownBadInputsRuleSet", COUNTED_BAD_INPUT_RULES),
            ],
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
            redacted_fields=[
                wafv2.CfnLoggingConfiguration.FieldToMatchProperty(single_header={"Name": header})
                for header in REDACTED_HEADERS
            ],
        )
        if grant.policy_dependable is not None:
            logging.node.add_dependency(grant.policy_dependable)


def _visibility(metric_name: str) -> wafv2.CfnWebACL.VisibilityConfigProperty:
    return wafv2.CfnWebACL.VisibilityConfigProperty(
        metric_name=metric_name, cloud_watch_metrics_enabled=True, sampled_requests_enabled=False
    )


def _rate_rule(priority: int, requests_per_address: int) -> wafv2.CfnWebACL.RuleProperty:
    return wafv2.CfnWebACL.RuleProperty(
        name="RequestsPerAddress",
        priority=priority,
        action=wafv2.CfnWebACL.RuleActionProperty(
            block=wafv2.CfnWebACL.BlockActionProperty(
                custom_response=wafv2.CfnWebACL.CustomResponseProperty(response_code=429)
            )
        ),
        statement=wafv2.CfnWebACL.StatementProperty(
            rate_based_statement=wafv2.CfnWebACL.RateBasedStatementProperty(
                aggregate_key_type="IP",
                limit=requests_per_address,
                evaluation_window_sec=EVALUATION_SECONDS,
            )
        ),
        visibility_config=_visibility("RequestsPerAddress"),
    )


def _managed_rule(
    priority: int, group_name: str, counted_rules: Sequence[str] = ()
) -> wafv2.CfnWebACL.RuleProperty:
    count = wafv2.CfnWebACL.RuleActionProperty(count={})
    return wafv2.CfnWebACL.RuleProperty(
        name=group_name,
        priority=priority,
        override_action=wafv2.CfnWebACL.OverrideActionProperty(none={}),
        statement=wafv2.CfnWebACL.StatementProperty(
            managed_rule_group_statement=wafv2.CfnWebACL.ManagedRuleGroupStatementProperty(
                vendor_name="AWS",
                name=group_name,
                rule_action_overrides=[
                    wafv2.CfnWebACL.RuleActionOverrideProperty(name=rule, action_to_use=count)
                    for rule in counted_rules
                ]
                or None,
            )
        ),
        visibility_config=_visibility(group_name),
    )
