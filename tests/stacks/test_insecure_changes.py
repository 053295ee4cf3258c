"""Careless changes to production's templates are noticed, which also proves that the invariants can fail."""

from copy import deepcopy
from typing import TYPE_CHECKING

import pytest

from tests.stacks.insecure_changes import CHANGES, Change
from tests.stacks.invariants import exposure, protection, statements, workloads
from tests.stacks.invariants.resource import Check, violations

if TYPE_CHECKING:
    from tests.stacks.conftest import Assembly


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.name)
def test_a_careless_change_is_noticed(production: "Assembly", change: Change) -> None:
    templates = deepcopy(dict(production.templates))
    resources = [resource for template in templates.values() for resource in template["Resources"].values()]
    for resource in resources:
        if resource["Type"] == change.resource_type:
            change.edit(resource["Properties"])
    found = violations(templates, change.check)
    assert any(change.report in violation for violation in found), found


@pytest.mark.parametrize("policy", ["DeletionPolicy", "UpdateReplacePolicy"])
def test_a_store_that_goes_with_its_stack_is_noticed(production: "Assembly", policy: str) -> None:
    template = deepcopy(production.templates["Data"])
    for resource in template["Resources"].values():
        resource[policy] = "Delete"
    found = violations({"Data": template}, protection.stateful_resources_are_kept)
    assert any(violation.endswith(f"has the {policy} Delete") for violation in found)


@pytest.mark.parametrize(
    ("resource_type", "check"),
    [
        ("AWS::Lambda::Url", exposure.nothing_else_is_public),
        ("AWS::ECR::PublicRepository", exposure.nothing_else_is_public),
        ("AWS::IAM::User", statements.no_users),
    ],
)
def test_some_types_are_not_for_us(resource_type: str, check: Check) -> None:
    template = {"Resources": {"Thing": {"Type": resource_type}}}
    assert violations({"Service": template}, check) == [f"Service/Thing: is a {resource_type}"]


def test_a_function_that_any_bucket_may_invoke_is_noticed() -> None:
    permission = {"Type": "AWS::Lambda::Permission", "Properties": {"Principal": "s3.amazonaws.com"}}
    found = violations(
        {"Service": {"Resources": {"Permission": permission}}},
        statements.functions_are_invoked_by_known_sources,
    )
    assert found == ["Service/Permission: lets s3.amazonaws.com invoke it for anyone"]


def test_a_container_without_logs_is_noticed(production: "Assembly") -> None:
    template = deepcopy(production.templates["Service"])
    for resource in template["Resources"].values():
        for container in resource.get("Properties", {}).get("ContainerDefinitions", []):
            container.pop("LogConfiguration")
    assert violations({"Service": template}, workloads.containers_log)
