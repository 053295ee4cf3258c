"""The parts that AWS WAF rules are made of."""

from collections.abc import Sequence
from dataclasses import dataclass

from aws_cdk import aws_wafv2 as wafv2

from gateway.errors import GatewayError

RETRY_AFTER_SECONDS = 60
# The answers to refused requests, in the shape that OpenAI's clients read errors in.
TOO_MANY_REQUESTS = "too-many-requests"
FORBIDDEN = "forbidden"
_ANSWERS = {
    TOO_MANY_REQUESTS: GatewayError(
        429,
        f"Too many requests; try again in {RETRY_AFTER_SECONDS} s.",
        type="rate_limit_error",
        code="rate_limit_exceeded",
    ),
    FORBIDDEN: GatewayError(
        403,
        "The request was refused before it reached the API.",
        type="permission_error",
        code="request_blocked",
    ),
}
_NO_TRANSFORMATION = [wafv2.CfnWebACL.TextTransformationProperty(priority=0, type="NONE")]


def response_bodies() -> dict[str, wafv2.CfnWebACL.CustomResponseBodyProperty]:
    """The bodies of the answers that `block` names."""
    return {
        key: wafv2.CfnWebACL.CustomResponseBodyProperty(
            content_type="APPLICATION_JSON", content=error.body().decode()
        )
        for key, error in _ANSWERS.items()
    }


def block(answer: str) -> wafv2.CfnWebACL.RuleActionProperty:
    """Refuse with one of the answers; clients that wait are told for how long."""
    status = _ANSWERS[answer].status
    wait = wafv2.CfnWebACL.CustomHTTPHeaderProperty(name="retry-after", value=str(RETRY_AFTER_SECONDS))
    response = wafv2.CfnWebACL.CustomResponseProperty(
        response_code=status,
        custom_response_body_key=answer,
        response_headers=[wait] if status == 429 else None,
    )
    return wafv2.CfnWebACL.RuleActionProperty(
        block=wafv2.CfnWebACL.BlockActionProperty(custom_response=response)
    )


def visibility(metric_name: str) -> wafv2.CfnWebACL.VisibilityConfigProperty:
    """Count in CloudWatch; keep no samples of requests, which hold what callers send."""
    return wafv2.CfnWebACL.VisibilityConfigProperty(
        metric_name=metric_name, cloud_watch_metrics_enabled=True, sampled_requests_enabled=False
    )


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A rule that has no place yet; without an action of its own, that of the group it shows requests to."""

    name: str
    statement: wafv2.CfnWebACL.StatementProperty
    action: wafv2.CfnWebACL.RuleActionProperty | None = None

    def at(self, priority: int) -> wafv2.CfnWebACL.RuleProperty:
        """The rule in its place: the lowest number is asked first."""
        of_group = wafv2.CfnWebACL.OverrideActionProperty(none={})
        return wafv2.CfnWebACL.RuleProperty(
            name=self.name,
            priority=priority,
            action=self.action,
            override_action=None if self.action else of_group,
            statement=self.statement,
            visibility_config=visibility(self.name),
        )


def any_of(
    statements: Sequence[wafv2.CfnWebACL.StatementProperty],
) -> wafv2.CfnWebACL.StatementProperty:
    """Match what at least one statement matches; AWS WAF wants two or more for an `or`."""
    if len(statements) == 1:
        return statements[0]
    return wafv2.CfnWebACL.StatementProperty(
        or_statement=wafv2.CfnWebACL.OrStatementProperty(statements=list(statements))
    )


def all_of(*statements: wafv2.CfnWebACL.StatementProperty) -> wafv2.CfnWebACL.StatementProperty:
    """Match what every statement matches."""
    return wafv2.CfnWebACL.StatementProperty(
        and_statement=wafv2.CfnWebACL.AndStatementProperty(statements=list(statements))
    )


def none_of(statement: wafv2.CfnWebACL.StatementProperty) -> wafv2.CfnWebACL.StatementProperty:
    """Match what the statement does not match."""
    return wafv2.CfnWebACL.StatementProperty(
        not_statement=wafv2.CfnWebACL.NotStatementProperty(statement=statement)
    )


def address_in(ip_set_arn: str) -> wafv2.CfnWebACL.StatementProperty:
    """Match requests from the networks of an IP set."""
    return wafv2.CfnWebACL.StatementProperty(ip_set_reference_statement={"arn": ip_set_arn})


def country_in(countries: Sequence[str]) -> wafv2.CfnWebACL.StatementProperty:
    """Match requests from countries, by their ISO 3166 codes."""
    return wafv2.CfnWebACL.StatementProperty(
        geo_match_statement=wafv2.CfnWebACL.GeoMatchStatementProperty(country_codes=list(countries))
    )


def path_begins_with(prefix: str) -> wafv2.CfnWebACL.StatementProperty:
    """Match requests by how their path begins, as it was sent."""
    return wafv2.CfnWebACL.StatementProperty(
        byte_match_statement=wafv2.CfnWebACL.ByteMatchStatementProperty(
            field_to_match=wafv2.CfnWebACL.FieldToMatchProperty(uri_path={}),
            positional_constraint="STARTS_WITH",
            search_string=prefix,
            text_transformations=_NO_TRANSFORMATION,
        )
    )


def has_label(label: str) -> wafv2.CfnWebACL.StatementProperty:
    """Match requests that an earlier rule has labelled."""
    return wafv2.CfnWebACL.StatementProperty(
        label_match_statement=wafv2.CfnWebACL.LabelMatchStatementProperty(scope="LABEL", key=label)
    )


def header_key(name: str) -> wafv2.CfnWebACL.RateBasedStatementCustomKeyProperty:
    """Count requests by the value of a header; those without it are not counted."""
    return wafv2.CfnWebACL.RateBasedStatementCustomKeyProperty(
        header=wafv2.CfnWebACL.RateLimitHeaderProperty(name=name, text_transformations=_NO_TRANSFORMATION)
    )
