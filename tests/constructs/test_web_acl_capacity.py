"""The capacity that the web application firewall's rules need, which its price depends on."""

from collections.abc import Iterator, Sequence
from typing import Any

from stacks.config.firewall import Firewall
from stacks.free_text_paths import free_text_path_prefixes
from tests.constructs.parts import only
from tests.constructs.web_acls import EVERYTHING, template_of

# What AWS publishes, in web ACL capacity units: a managed group has a price, the other statements the sum of
# their parts. A web ACL may have 5000, and up to 1500 are in its basic price.
GROUP_UNITS = {
    "AWSManagedRulesAntiDDoSRuleSet": 50,
    "AWSManagedRulesAmazonIpReputationList": 25,
    "AWSManagedRulesAnonymousIpList": 50,
    "AWSManagedRulesKnownBadInputsRuleSet": 200,
    "AWSManagedRulesCommonRuleSet": 700,
    "AWSManagedRulesBotControlRuleSet": 50,
}
STATEMENT_UNITS = {
    "RateBasedStatement": 2,
    "ByteMatchStatement": 2,
    "GeoMatchStatement": 1,
    "IPSetReferenceStatement": 1,
    "LabelMatchStatement": 1,
}
CUSTOM_KEY_UNITS = 30
TEXT_TRANSFORMATION_UNITS = 10
BASIC_PRICE_UNITS = 1500


def _units(value: Any) -> int:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return sum(_units(item) for item in value)
    return sum(_own_units(key, item) + _units(item) for key, item in _items(value))


def _items(value: Any) -> Iterator[tuple[str, Any]]:
    yield from value.items() if isinstance(value, dict) else ()


def _own_units(key: str, item: Any) -> int:
    if key == "ManagedRuleGroupStatement":
        return GROUP_UNITS[item["Name"]]
    if key == "CustomKeys":
        return CUSTOM_KEY_UNITS * len(item)
    if key == "TextTransformations":
        return TEXT_TRANSFORMATION_UNITS * len(item)
    return STATEMENT_UNITS.get(key, 0)


def test_all_rules_together_are_within_the_basic_price() -> None:
    (most,) = (each.max_length for each in Firewall.model_fields["free_text_paths"].metadata)
    paths = [*free_text_path_prefixes(), *(f"/further-{number}/" for number in range(most))]
    web_acl = only(template_of(**EVERYTHING, free_text_paths=paths), "WAFv2::WebACL")
    statements = [rule["Statement"] for rule in web_acl["Rules"]]
    known = {"AndStatement", "NotStatement", "OrStatement", "ManagedRuleGroupStatement", *STATEMENT_UNITS}
    assert {key for statement in statements for key in statement} <= known
    assert sum(GROUP_UNITS.values()) < _units(statements) <= BASIC_PRICE_UNITS
