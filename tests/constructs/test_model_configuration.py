import json
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_iam as iam
from aws_cdk.assertions import Match, Template

from gatehouse.model_configuration import ModelConfiguration
from tests.constructs.conftest import Properties

CATALOG: dict[str, list[str]] = {"models": []}
SCHEMA = {"type": "object"}
ALARM = "arn:aws:cloudwatch:eu-central-1:111111111111:alarm:errors"


def _configuration(stack: cdk.Stack, rollout_minutes: int = 0) -> ModelConfiguration:
    return ModelConfiguration(
        stack,
        "Models",
        catalog_json=json.dumps(CATALOG),
        validator_schema=SCHEMA,
        rollout=cdk.Duration.minutes(rollout_minutes),
        alarm=cloudwatch.Alarm.from_alarm_arn(stack, "Alarm", ALARM),
    )


def test_the_catalog_is_validated_and_deployed(stack: cdk.Stack, properties: Properties) -> None:
    _configuration(stack)
    (version,) = properties("AWS::AppConfig::HostedConfigurationVersion")
    assert json.loads(version["Content"]) == CATALOG
    (profile,) = properties("AWS::AppConfig::ConfigurationProfile")
    (validator,) = profile["Validators"]
    assert validator["Type"] == "JSON_SCHEMA"
    assert json.loads(validator["Content"]) == SCHEMA
    assert len(properties("AWS::AppConfig::Deployment")) == 1


@pytest.mark.parametrize(("minutes", "percent_in_a_step"), [(0, 100), (5, 20)])
def test_it_rolls_out_at_once_or_step_by_step(
    stack: cdk.Stack, properties: Properties, minutes: int, percent_in_a_step: int
) -> None:
    _configuration(stack, minutes)
    (strategy,) = properties("AWS::AppConfig::DeploymentStrategy")
    assert strategy["GrowthType"] == "LINEAR"
    assert strategy["GrowthFactor"] == percent_in_a_step
    assert strategy["DeploymentDurationInMinutes"] == minutes
    assert strategy["FinalBakeTimeInMinutes"] == minutes


def test_an_alarm_takes_a_change_back_and_its_role_may_read_that_alarm_alone(
    stack: cdk.Stack, properties: Properties
) -> None:
    _configuration(stack)
    (environment,) = properties("AWS::AppConfig::Environment")
    (monitor,) = environment["Monitors"]
    assert monitor["AlarmArn"] == ALARM
    (policy,) = properties("AWS::IAM::Policy")
    (statement,) = policy["PolicyDocument"]["Statement"]
    assert (statement["Action"], statement["Resource"]) == ("cloudwatch:DescribeAlarms", ALARM)
    (role,) = properties("AWS::IAM::Role")
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "appconfig.amazonaws.com"}
    # AppConfig looks at the alarm with that role when the environment is created.
    Template.from_stack(stack).has_resource(
        "AWS::AppConfig::Environment",
        {"DependsOn": Match.array_with([Match.string_like_regexp("WatchingDefaultPolicy")])},
    )


def test_it_can_be_removed(stack: cdk.Stack) -> None:
    _configuration(stack)
    # AppConfig deletes no profile that has versions.
    Template.from_stack(stack).has_resource(
        "AWS::AppConfig::HostedConfigurationVersion", {"DeletionPolicy": "Delete"}
    )


def test_a_reader_may_read_this_configuration_alone(stack: cdk.Stack, properties: Properties) -> None:
    configuration = _configuration(stack)
    role = iam.Role(stack, "Role", assumed_by=iam.ServicePrincipal("ecs-tasks.amazonaws.com"))
    configuration.grant_read(role)
    (policy,) = (p for p in properties("AWS::IAM::Policy") if "appconfig" in str(p["PolicyDocument"]))
    (statement,) = policy["PolicyDocument"]["Statement"]
    assert statement["Action"] == ["appconfig:GetLatestConfiguration", "appconfig:StartConfigurationSession"]
    assert _names(statement["Resource"]) == [
        "arn:aws:appconfig:eu-central-1:111111111111:application/",
        "application",
        "/environment/",
        "environment",
        "/configuration/",
        "profile",
    ]
    assert _names(stack.resolve(configuration.source))[0] == "appconfig://"


def _names(value: dict[str, Any]) -> list[str]:
    """The parts of a joined text; a reference is shown as what it refers to."""
    kinds = {"ModelsApplicationE": "environment", "ModelsApplication": "application", "ModelsConf": "profile"}
    names = []
    for part in value["Fn::Join"][1]:
        reference = part["Ref"] if isinstance(part, dict) else ""
        names.append(next((kind for prefix, kind in kinds.items() if reference.startswith(prefix)), part))
    return names
