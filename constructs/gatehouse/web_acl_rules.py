"""The rules of the web application firewall, in the order in which they are asked."""

from collections.abc import Iterator

from aws_cdk import aws_wafv2 as wafv2

from gatehouse import web_acl_groups as groups
from gatehouse.web_acl_policy import WebAclPolicy
from gatehouse.web_acl_statements import (
    FORBIDDEN,
    TOO_MANY_REQUESTS,
    Rule,
    all_of,
    any_of,
    block,
    country_in,
    has_label,
    header_key,
    none_of,
    path_begins_with,
)

# Where the APIs' clients send a key, and the rules that count by it.
KEY_HEADERS = {
    "authorization": "RequestsPerAuthorization",
    "x-api-key": "RequestsPerXApiKey",
    "api-key": "RequestsPerApiKey",
}
EVALUATION_SECONDS = 300

_Statement = wafv2.CfnWebACL.StatementProperty


def rules(
    policy: WebAclPolicy, *, trusted: _Statement | None, blocked: _Statement | None
) -> list[wafv2.CfnWebACL.RuleProperty]:
    """Make the rules: what costs little and ends a request is asked before what costs more.

    trusted, blocked: match requests from the policy's networks of these names, where it has any.
    """
    return [rule.at(priority) for priority, rule in enumerate(_in_order(policy, trusted, blocked))]


def _in_order(policy: WebAclPolicy, trusted: _Statement | None, blocked: _Statement | None) -> Iterator[Rule]:
    not_trusted = none_of(trusted) if trusted else None
    if blocked:
        yield Rule(name="BlockedNetworks", statement=blocked, action=block(FORBIDDEN))
    yield from _countries(policy)
    # First of the groups: it learns from all the traffic that an attack could hide in.
    if policy.anti_ddos:
        yield groups.anti_ddos()
    yield groups.reputation(not_trusted)
    if policy.block_anonymous_networks:
        yield groups.anonymous_networks(not_trusted)
    yield _address_rate(policy.requests_per_5_minutes_per_address, not_trusted)
    for header, name in KEY_HEADERS.items():
        yield _key_rate(name, header, policy.requests_per_5_minutes_per_key)
    yield groups.known_bad_inputs()
    yield groups.common()
    # After the groups, whose labels it reads.
    yield _judged_bodies(policy)
    # Last, because it is paid for by the request.
    if policy.bot_control:
        yield groups.bot_control()


def _countries(policy: WebAclPolicy) -> Iterator[Rule]:
    if policy.allowed_countries:
        elsewhere = none_of(country_in(policy.allowed_countries))
        yield Rule(name="OtherCountries", statement=elsewhere, action=block(FORBIDDEN))
    if policy.blocked_countries:
        there = country_in(policy.blocked_countries)
        yield Rule(name="BlockedCountries", statement=there, action=block(FORBIDDEN))


def _address_rate(limit: int, scope: _Statement | None) -> Rule:
    statement = wafv2.CfnWebACL.RateBasedStatementProperty(
        aggregate_key_type="IP",
        limit=limit,
        evaluation_window_sec=EVALUATION_SECONDS,
        scope_down_statement=scope,
    )
    return Rule(
        name="RequestsPerAddress",
        statement=_Statement(rate_based_statement=statement),
        action=block(TOO_MANY_REQUESTS),
    )


def _key_rate(name: str, header: str, limit: int) -> Rule:
    statement = wafv2.CfnWebACL.RateBasedStatementProperty(
        aggregate_key_type="CUSTOM_KEYS",
        custom_keys=[header_key(header)],
        limit=limit,
        evaluation_window_sec=EVALUATION_SECONDS,
    )
    return Rule(
        name=name, statement=_Statement(rate_based_statement=statement), action=block(TOO_MANY_REQUESTS)
    )


def _judged_bodies(policy: WebAclPolicy) -> Rule:
    """What the rules about bodies have labelled, everywhere but where a body may say anything."""
    labels = [label for of_group in groups.BODY_LABELS.values() for label in of_group.values()]
    labelled = any_of([has_label(label) for label in labels])
    free_text = any_of([path_begins_with(path) for path in policy.free_text_paths])
    return Rule(
        name="BodiesOutsideFreeText",
        statement=all_of(labelled, none_of(free_text)),
        action=block(FORBIDDEN),
    )
