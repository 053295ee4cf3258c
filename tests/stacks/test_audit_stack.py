"""The Audit stack with what none of our environments turns on, judged as they are."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from cdk_nag import AwsSolutionsChecks, NIST80053R5Checks

from gatehouse.config_rules import RULES
from gatehouse.findings import acknowledge_role_policies
from stacks.audit import AuditStack
from stacks.config.audit import Audit
from stacks.config.load import load_environment
from stacks.keys import KeysStack
from tests.stacks.invariants.resource import Check, Template, violations
from tests.stacks.test_invariants import EVERYWHERE

FLAGS = json.loads((Path(__file__).resolve().parents[2] / "cdk.json").read_text(encoding="utf-8"))["context"]
EVERYTHING = Audit(
    object_lock="compliance",
    insights=True,
    config_rules="recorder",
    security_hub=("aws-foundational", "cis", "nist-800-53"),
    threat_detection=True,
)


def _synthesize(audit: Audit, folder: Path) -> Template:
    """The stack's template; the rule packs' report is in `folder`."""
    context = FLAGS | {"@aws-cdk/core:failSynthOnValidationErrors": False}
    app = cdk.App(
        context=context,
        outdir=str(folder),
        analytics_reporting=False,
        builtin_cloud_formation_validation=False,
    )
    config = load_environment("prod").model_copy(update={"audit": audit})
    stage = cdk.Stage(
        app, "gatehouse-prod", env=cdk.Environment(account=config.account, region=config.region)
    )
    for name, value in (("project", "gatehouse"), ("environment", "prod")):
        cdk.Tags.of(stage).add(name, value)
    keys = KeysStack(stage, "Keys", config=config)
    AuditStack(stage, "Audit", config=config, data_key=keys.data_key, log_key=keys.log_key)
    acknowledge_role_policies(stage)
    cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app), NIST80053R5Checks(app))
    stacks = app.synth().get_nested_assembly("assembly-gatehouse-prod").stacks
    (artifact,) = (stack for stack in stacks if stack.stack_name == "gatehouse-prod-Audit")
    template: Template = json.loads(Path(artifact.template_full_path).read_text(encoding="utf-8"))
    return template


def _types(template: Template) -> Counter[str]:
    return Counter(resource["Type"] for resource in template["Resources"].values())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("audit")


@pytest.fixture(scope="module")
def everything(folder: Path) -> Template:
    return _synthesize(EVERYTHING, folder)


def test_the_account_gets_one_of_each(everything: Template) -> None:
    types = _types(everything)
    for once in (
        "AWS::CloudTrail::Trail",
        "AWS::Config::ConfigurationRecorder",
        "AWS::Config::DeliveryChannel",
        "AWS::GuardDuty::Detector",
        "AWS::SecurityHub::Hub",
    ):
        assert types[once] == 1
    assert types["AWS::Config::ConfigRule"] == len(RULES)
    assert types["AWS::SecurityHub::Standard"] == 3


def test_rules_wait_for_the_recorder(everything: Template) -> None:
    resources = everything["Resources"]
    recorder = next(
        name for name, found in resources.items() if found["Type"] == "AWS::Config::ConfigurationRecorder"
    )
    rules = [found for found in resources.values() if found["Type"] == "AWS::Config::ConfigRule"]
    assert all(recorder in rule["DependsOn"] for rule in rules)


def test_no_rule_pack_has_an_open_finding(everything: Template, folder: Path) -> None:
    assert everything
    reports = json.loads((folder / "validation-report.json").read_text(encoding="utf-8"))["pluginReports"]
    found: list[Any] = [
        (finding["ruleName"], finding["violatingConstructs"])
        for report in reports
        for finding in report.get("violations", [])
    ]
    assert found == []


@pytest.mark.parametrize("check", EVERYWHERE, ids=lambda check: check.__name__)
def test_the_invariants_hold(everything: Template, check: Check) -> None:
    assert violations({"Audit": everything}, check) == []


def test_an_organization_s_trail_leaves_only_what_is_asked_for(tmp_path: Path) -> None:
    template = _synthesize(Audit(trail="organization", config_rules="rules"), tmp_path)
    assert _types(template) == {"AWS::Config::ConfigRule": len(RULES)}


@pytest.mark.parametrize(
    ("audit", "is_elsewhere"),
    [
        (Audit(), False),
        (Audit(trail="organization"), True),
        (Audit(trail="organization", threat_detection=True), False),
        (Audit(trail="organization", security_hub=("cis",)), False),
    ],
)
def test_there_is_no_stack_where_the_organization_does_it_all(audit: Audit, is_elsewhere: bool) -> None:
    assert audit.is_elsewhere is is_elsewhere
