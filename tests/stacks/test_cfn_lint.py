"""cfn-lint knows rules that the CDK's own validation does not."""

from typing import TYPE_CHECKING

from cfnlint.api import lint_by_config  # type: ignore[import-untyped]  # it has no type information
from cfnlint.config import ManualArgs  # type: ignore[import-untyped]

if TYPE_CHECKING:
    from tests.stacks.conftest import Assembly

ACCEPTED = {
    "W3010": "the configuration names the zones, so that synthesis looks nothing up",
    "W3005": "the CDK writes dependencies that references imply",
}


def test_templates_are_clean(assembly: "Assembly") -> None:
    templates = [str(path) for path in sorted(assembly.directory.rglob("*.template.json"))]
    assert len(templates) == len(assembly.templates)
    findings = lint_by_config(ManualArgs(templates=templates, ignore_checks=list(ACCEPTED)))
    assert [str(finding) for finding in findings] == []
