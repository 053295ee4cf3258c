"""The rules of the web application firewall: what they refuse, in which order, and what they let pass."""

import json
from ipaddress import ip_network
from typing import Any

import pytest
from aws_cdk.assertions import Template

from tests.constructs.parts import only
from tests.constructs.web_acls import EVERYTHING, FREE_TEXT_PATHS, template_of

# What AWS's managed groups would refuse in a body, which prompts hold every day, by the label they give it.
BODY_RULES = {
    "AWSManagedRulesCommonRuleSet": {
        "SizeRestrictions_BODY": "core-rule-set:SizeRestrictions_Body",
        "CrossSiteScripting_BODY": "core-rule-set:CrossSiteScripting_Body",
        "GenericLFI_BODY": "core-rule-set:GenericLFI_Body",
        "GenericRFI_BODY": "core-rule-set:GenericRFI_Body",
        "EC2MetaDataSSRF_BODY": "core-rule-set:EC2MetaDataSSRF_Body",
    },
    "AWSManagedRulesKnownBadInputsRuleSet": {
        "JavaDeserializationRCE_BODY": "known-bad-inputs:JavaDeserializationRCE_Body",
        "Log4JRCE_BODY": "known-bad-inputs:Log4JRCE_Body",
        "ReactJSRCE_BODY": "known-bad-inputs:ReactJSRCE_Body",
    },
}
COUNTED_BESIDES = {"AWSManagedRulesCommonRuleSet": {"NoUserAgent_HEADER"}}
ALWAYS = [
    "AWSManagedRulesAntiDDoSRuleSet",
    "AWSManagedRulesAmazonIpReputationList",
    "RequestsPerAddress",
    "RequestsPerAuthorization",
    "RequestsPerXApiKey",
    "RequestsPerApiKey",
    "AWSManagedRulesKnownBadInputsRuleSet",
    "AWSManagedRulesCommonRuleSet",
    "BodiesOutsideFreeText",
]


@pytest.fixture(scope="module")
def template() -> Template:
    return template_of()


@pytest.fixture(scope="module")
def full() -> Template:
    return template_of(**EVERYTHING)


def _rules(template: Template) -> dict[str, dict[str, Any]]:
    rules = sorted(only(template, "WAFv2::WebACL")["Rules"], key=lambda rule: int(rule["Priority"]))
    assert [rule["Priority"] for rule in rules] == list(range(len(rules)))
    return {rule["Name"]: rule for rule in rules}


def _group(template: Template, name: str) -> dict[str, Any]:
    rule = _rules(template)[name]
    assert rule["OverrideAction"] == {"None": {}}
    group: dict[str, Any] = rule["Statement"]["ManagedRuleGroupStatement"]
    assert (group["VendorName"], group["Name"]) == ("AWS", name)
    return group


def _counted(template: Template, name: str) -> set[str]:
    overrides = _group(template, name).get("RuleActionOverrides", [])
    assert all(override["ActionToUse"] == {"Count": {}} for override in overrides)
    return {override["Name"] for override in overrides}


def _from(statement: dict[str, Any], template: Template) -> set[str]:
    """The networks of a statement about IP sets, of both versions."""
    references = statement["OrStatement"]["Statements"]
    sets = template.find_resources("AWS::WAFv2::IPSet")
    found: set[str] = set()
    for reference in references:
        properties = sets[reference["IPSetReferenceStatement"]["Arn"]["Fn::GetAtt"][0]]["Properties"]
        assert properties["Scope"] == "REGIONAL"
        version = 6 if properties["IPAddressVersion"] == "IPV6" else 4
        assert {ip_network(address).version for address in properties["Addresses"]} == {version}
        found |= set(properties["Addresses"])
    return found


def _refusal(rule: dict[str, Any], template: Template) -> tuple[int, dict[str, Any], dict[str, str]]:
    """A rule's answer: status, JSON body and headers."""
    response = rule["Action"]["Block"]["CustomResponse"]
    body = only(template, "WAFv2::WebACL")["CustomResponseBodies"][response["CustomResponseBodyKey"]]
    assert body["ContentType"] == "APPLICATION_JSON"
    headers = {header["Name"]: header["Value"] for header in response.get("ResponseHeaders", [])}
    return response["ResponseCode"], json.loads(body["Content"]), headers


def test_what_costs_little_and_ends_a_request_comes_before_what_costs_more(template: Template) -> None:
    assert list(_rules(template)) == ALWAYS


def test_every_rule_that_can_be_turned_on_has_its_place(full: Template) -> None:
    ddos, reputation, *rest = ALWAYS
    assert list(_rules(full)) == [
        "BlockedNetworks",
        "OtherCountries",
        ddos,
        reputation,
        "AWSManagedRulesAnonymousIpList",
        *rest,
        "AWSManagedRulesBotControlRuleSet",
    ]


@pytest.mark.parametrize("group", BODY_RULES)
def test_rules_that_judge_a_body_count_and_only_few_others_do(template: Template, group: str) -> None:
    assert _counted(template, group) == BODY_RULES[group].keys() | COUNTED_BESIDES.get(group, set())


def test_what_they_found_is_refused_where_bodies_are_no_free_text(template: Template) -> None:
    rules = _rules(template)
    labelled, elsewhere = rules["BodiesOutsideFreeText"]["Statement"]["AndStatement"]["Statements"]
    matches = [statement["LabelMatchStatement"] for statement in labelled["OrStatement"]["Statements"]]
    assert {match["Scope"] for match in matches} == {"LABEL"}
    assert {match["Key"] for match in matches} == {
        f"awswaf:managed:aws:{label}" for of_group in BODY_RULES.values() for label in of_group.values()
    }
    paths = elsewhere["NotStatement"]["Statement"]["OrStatement"]["Statements"]
    assert [path["ByteMatchStatement"] for path in paths] == [
        {
            "FieldToMatch": {"UriPath": {}},
            "PositionalConstraint": "STARTS_WITH",
            "SearchString": path,
            # The path as it was sent: the gateway does not resolve `..` either.
            "TextTransformations": [{"Priority": 0, "Type": "NONE"}],
        }
        for path in FREE_TEXT_PATHS
    ]
    order = list(rules)
    # Labels are there for rules that are asked later.
    assert all(order.index(group) < order.index("BodiesOutsideFreeText") for group in BODY_RULES)
    assert _refusal(rules["BodiesOutsideFreeText"], template)[0] == 403


def test_an_address_has_a_rate(template: Template) -> None:
    assert _rules(template)["RequestsPerAddress"]["Statement"]["RateBasedStatement"] == {
        "AggregateKeyType": "IP",
        "EvaluationWindowSec": 300,
        "Limit": 1000,
    }


@pytest.mark.parametrize(
    ("rule", "header"),
    [
        ("RequestsPerAuthorization", "authorization"),
        ("RequestsPerXApiKey", "x-api-key"),
        ("RequestsPerApiKey", "api-key"),
    ],
)
def test_a_key_has_a_rate_in_whichever_header_it_comes(template: Template, rule: str, header: str) -> None:
    assert _rules(template)[rule]["Statement"]["RateBasedStatement"] == {
        "AggregateKeyType": "CUSTOM_KEYS",
        "CustomKeys": [
            {"Header": {"Name": header, "TextTransformations": [{"Priority": 0, "Type": "NONE"}]}}
        ],
        "EvaluationWindowSec": 300,
        "Limit": 3000,
    }


@pytest.mark.parametrize("rule", [name for name in ALWAYS if name.startswith("RequestsPer")])
def test_too_many_requests_are_told_so_as_openai_does_and_when_to_come_back(
    template: Template, rule: str
) -> None:
    status, body, headers = _refusal(_rules(template)[rule], template)
    assert status == 429
    assert body["error"]["code"] == "rate_limit_exceeded"
    assert body["error"].keys() == {"message", "type", "param", "code"}
    assert headers == {"retry-after": "60"}


@pytest.mark.parametrize("rule", ["BlockedNetworks", "OtherCountries", "BodiesOutsideFreeText"])
def test_other_refusals_have_the_shape_of_the_api_s_errors(full: Template, rule: str) -> None:
    status, body, headers = _refusal(_rules(full)[rule], full)
    assert status == 403
    assert body["error"].keys() == {"message", "type", "param", "code"}
    assert headers == {}


def test_blocked_networks_are_refused_first(full: Template) -> None:
    name, rule = next(iter(_rules(full).items()))
    assert name == "BlockedNetworks"
    assert _from(rule["Statement"], full) == {"192.0.2.0/24", "2001:db8:2::/48"}


@pytest.mark.parametrize(
    "rule",
    ["AWSManagedRulesAmazonIpReputationList", "AWSManagedRulesAnonymousIpList", "RequestsPerAddress"],
)
def test_no_rule_about_addresses_concerns_trusted_networks(full: Template, rule: str) -> None:
    (statement,) = _rules(full)[rule]["Statement"].values()
    spared = statement["ScopeDownStatement"]["NotStatement"]["Statement"]
    assert _from(spared, full) == {"198.51.100.0/24", "2001:db8:1::/48"}


def test_every_other_rule_concerns_trusted_networks_too(full: Template) -> None:
    scoped = {name for name, rule in _rules(full).items() if "ScopeDownStatement" in json.dumps(rule)}
    assert scoped == {
        "AWSManagedRulesAmazonIpReputationList",
        "AWSManagedRulesAnonymousIpList",
        "RequestsPerAddress",
    }


def test_only_allowed_countries_are_let_in(full: Template) -> None:
    statement = _rules(full)["OtherCountries"]["Statement"]["NotStatement"]["Statement"]
    assert statement == {"GeoMatchStatement": {"CountryCodes": ["DE", "FR"]}}


def test_blocked_countries_are_not_let_in() -> None:
    rules = _rules(template_of(blocked_countries=["KP"]))
    assert rules["BlockedCountries"]["Statement"] == {"GeoMatchStatement": {"CountryCodes": ["KP"]}}
    assert "OtherCountries" not in rules


def test_servers_in_data_centres_are_no_anonymous_networks(full: Template) -> None:
    assert _counted(full, "AWSManagedRulesAnonymousIpList") == {"HostingProviderIPList"}


def test_nobody_is_asked_to_run_a_script_in_an_attack(template: Template) -> None:
    (config,) = _group(template, "AWSManagedRulesAntiDDoSRuleSet")["ManagedRuleGroupConfigs"]
    assert config["AWSManagedRulesAntiDDoSRuleSet"] == {
        "ClientSideActionConfig": {"Challenge": {"UsageOfAction": "DISABLED"}},
        "SensitivityToBlock": "LOW",
    }


def test_the_anti_ddos_rules_can_be_left_out() -> None:
    assert "AWSManagedRulesAntiDDoSRuleSet" not in _rules(template_of(anti_ddos=False))


def test_sdks_and_agents_are_no_bots_to_refuse(full: Template) -> None:
    (config,) = _group(full, "AWSManagedRulesBotControlRuleSet")["ManagedRuleGroupConfigs"]
    assert config["AWSManagedRulesBotControlRuleSet"] == {"InspectionLevel": "COMMON"}
    assert _counted(full, "AWSManagedRulesBotControlRuleSet") == {
        "CategoryHttpLibrary",
        "CategoryAI",
        "SignalKnownBotDataCenter",
        "SignalNonBrowserUserAgent",
    }
