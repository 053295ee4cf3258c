"""The rule groups that AWS maintains, without those of their rules that would refuse honest callers."""

from collections.abc import Sequence

from aws_cdk import aws_wafv2 as wafv2

from gatehouse.web_acl_statements import Rule

# Rules that judge a body, and the labels that they put on requests. A prompt is text of any kind and size:
# it may quote scripts, paths, URLs and exploits, and it is data to the gateway. So these rules only count,
# and a rule of our own refuses what they have labelled where bodies are no free text.
BODY_LABELS = {
    "AWSManagedRulesKnownBadInputsRuleSet": {
        "JavaDeserializationRCE_BODY": "awswaf:managed:aws:known-bad-inputs:JavaDeserializationRCE_Body",
        "Log4JRCE_BODY": "awswaf:managed:aws:known-bad-inputs:Log4JRCE_Body",
        "ReactJSRCE_BODY": "awswaf:managed:aws:known-bad-inputs:ReactJSRCE_Body",
    },
    "AWSManagedRulesCommonRuleSet": {
        "SizeRestrictions_BODY": "awswaf:managed:aws:core-rule-set:SizeRestrictions_Body",
        "CrossSiteScripting_BODY": "awswaf:managed:aws:core-rule-set:CrossSiteScripting_Body",
        "GenericLFI_BODY": "awswaf:managed:aws:core-rule-set:GenericLFI_Body",
        "GenericRFI_BODY": "awswaf:managed:aws:core-rule-set:GenericRFI_Body",
        "EC2MetaDataSSRF_BODY": "awswaf:managed:aws:core-rule-set:EC2MetaDataSSRF_Body",
    },
}


def anti_ddos() -> Rule:
    """The group that knows the usual traffic and refuses what joins in an attack."""
    # A challenge is a script in a page: a browser runs it, an API's client takes it for the answer.
    challenge = wafv2.CfnWebACL.ClientSideActionProperty(usage_of_action="DISABLED")
    config = wafv2.CfnWebACL.ManagedRuleGroupConfigProperty(
        aws_managed_rules_anti_d_do_s_rule_set=wafv2.CfnWebACL.AWSManagedRulesAntiDDoSRuleSetProperty(
            client_side_action_config=wafv2.CfnWebACL.ClientSideActionConfigProperty(challenge=challenge),
            sensitivity_to_block="LOW",
        )
    )
    return _group("AWSManagedRulesAntiDDoSRuleSet", config=config)


def reputation(scope: wafv2.CfnWebACL.StatementProperty | None) -> Rule:
    """The addresses that Amazon has seen attack and scan."""
    return _group("AWSManagedRulesAmazonIpReputationList", scope=scope)


def anonymous_networks(scope: wafv2.CfnWebACL.StatementProperty | None) -> Rule:
    """Open proxies, Tor and anonymous VPNs."""
    # Callers of an API are programs, and programs run at hosting providers.
    return _group("AWSManagedRulesAnonymousIpList", counted=["HostingProviderIPList"], scope=scope)


def known_bad_inputs() -> Rule:
    """Requests that exploit known weaknesses."""
    name = "AWSManagedRulesKnownBadInputsRuleSet"
    return _group(name, counted=list(BODY_LABELS[name]))


def common() -> Rule:
    """What is no sound request to any web application."""
    name = "AWSManagedRulesCommonRuleSet"
    # Some runtimes' HTTP clients send no user agent unless they are told one.
    return _group(name, counted=[*BODY_LABELS[name], "NoUserAgent_HEADER"])


def bot_control() -> Rule:
    """Crawlers and automated browsers, by what they say of themselves."""
    config = wafv2.CfnWebACL.ManagedRuleGroupConfigProperty(
        aws_managed_rules_bot_control_rule_set=wafv2.CfnWebACL.AWSManagedRulesBotControlRuleSetProperty(
            inspection_level="COMMON"
        )
    )
    # SDKs, agents and servers in data centres are whom the API is for.
    counted = ["CategoryHttpLibrary", "CategoryAI", "SignalKnownBotDataCenter", "SignalNonBrowserUserAgent"]
    return _group("AWSManagedRulesBotControlRuleSet", counted=counted, config=config)


def _group(
    name: str,
    *,
    counted: Sequence[str] = (),
    scope: wafv2.CfnWebACL.StatementProperty | None = None,
    config: wafv2.CfnWebACL.ManagedRuleGroupConfigProperty | None = None,
) -> Rule:
    """Show a group the requests that `scope` matches, or all; of its rules, `counted` refuse nothing."""
    count = wafv2.CfnWebACL.RuleActionProperty(count={})
    # No version: AWS moves to the one that it recommends, so that signatures stay current.
    statement = wafv2.CfnWebACL.ManagedRuleGroupStatementProperty(
        vendor_name="AWS",
        name=name,
        scope_down_statement=scope,
        managed_rule_group_configs=[config] if config else None,
        rule_action_overrides=[
            wafv2.CfnWebACL.RuleActionOverrideProperty(name=rule, action_to_use=count) for rule in counted
        ]
        or None,
    )
    return Rule(
        name=name, statement=wafv2.CfnWebACL.StatementProperty(managed_rule_group_statement=statement)
    )
