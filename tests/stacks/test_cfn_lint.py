"""cfn-lint knows rules that the CDK's own validation does not."""

import json
from typing import TYPE_CHECKING, Any

import pytest
from cfnlint.api import lint  # type: ignore[import-untyped]  # it has no type information
from cfnlint.core import get_rules  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from tests.stacks.conftest import Assembly

ACCEPTED = {
    "W3010": "the configuration names the zones, so that synthesis looks nothing up",
    "W6001": "`gatehouse manifests` reads all values from the outputs of one stack",
    "W3005": "the CDK writes dependencies that references imply",
}


@pytest.fixture(scope="module")
def rules() -> Any:
    """The rules, read once: that takes longer than to lint a template."""
    return get_rules([], list(ACCEPTED), [])


def _findings(template: Any, rules: Any) -> list[str]:
    return [str(finding) for finding in lint(json.dumps(template), rules=rules)]


def test_templates_are_clean(assembly: "Assembly", rules: Any) -> None:
    found = {stack: _findings(template, rules) for stack, template in assembly.templates.items()}
    assert {stack: findings for stack, findings in found.items() if findings} == {}


def test_a_value_that_cloudformation_would_refuse_is_noticed(rules: Any) -> None:
    group = {"Type": "AWS::Logs::LogGroup", "Properties": {"RetentionInDays": 31}}
    (finding,) = _findings({"Resources": {"LogGroup": group}}, rules)
    assert "31 is not one of" in finding
