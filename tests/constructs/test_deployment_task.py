from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk.assertions import Match, Template

from gatehouse.deployment_task import DeploymentTask
from tests.constructs.conftest import Properties

CUSTOM = "Custom::Preparation"


@pytest.fixture(autouse=True)
def task(
    stack: cdk.Stack, vpc: ec2.IVpc, security_group: ec2.ISecurityGroup, key: kms.IKey
) -> DeploymentTask:
    log_group = logs.LogGroup(stack, "TaskLog")
    definition = ecs.FargateTaskDefinition(stack, "Task")
    definition.add_container(
        "preparation",
        image=ecs.ContainerImage.from_registry("example.com/preparation:1"),
        logging=ecs.LogDrivers.aws_logs(stream_prefix="preparation", log_group=log_group),
    )
    return DeploymentTask(
        stack,
        "Prepared",
        resource_type=CUSTOM,
        cluster=ecs.Cluster(stack, "Cluster", vpc=vpc),
        definition=definition,
        container_name="preparation",
        log_group=log_group,
        vpc=vpc,
        subnets=ec2.SubnetSelection(subnet_group_name="service"),
        security_group=security_group,
        log_key=key,
        log_retention=logs.RetentionDays.ONE_MONTH,
        removal_policy=cdk.RemovalPolicy.DESTROY,
    )


def _statements(stack: cdk.Stack, role: str) -> dict[str, dict[str, Any]]:
    policies = Template.from_stack(stack).find_resources("AWS::IAM::Policy").values()
    documents = [p["Properties"] for p in policies if role in str(p["Properties"]["Roles"])]
    statements = [s for document in documents for s in document["PolicyDocument"]["Statement"]]
    return {str(statement["Action"]): statement for statement in statements}


def test_it_runs_again_with_each_new_definition(properties: Properties) -> None:
    (resource,) = properties(CUSTOM)
    assert "Ref" in resource["TaskDefinition"]
    assert resource["Container"] == "preparation"
    assert resource["Subnets"] == ["subnet-service-a", "subnet-service-b"]
    assert resource["SecurityGroups"] == ["sg-1"]


def test_a_task_has_all_the_time_that_lambda_gives(properties: Properties) -> None:
    (function,) = properties("AWS::Lambda::Function")
    assert function["Timeout"] == 900


def test_it_starts_this_task_in_this_cluster_and_nothing_else(stack: cdk.Stack) -> None:
    statements = _statements(stack, "PreparedFunctionRole")
    cluster = {"ArnEquals": {"ecs:cluster": {"Fn::GetAtt": [_cluster(stack), "Arn"]}}}
    assert statements["ecs:RunTask"]["Condition"] == cluster
    assert "Ref" in statements["ecs:RunTask"]["Resource"]
    assert statements["['ecs:DescribeTasks', 'ecs:StopTask']"]["Condition"] == cluster
    passing = statements["iam:PassRole"]
    assert passing["Condition"] == {"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}}
    assert len(passing["Resource"]) == 2
    assert "*" not in passing["Resource"]
    assert statements["cloudformation:DescribeStacks"]["Resource"] == {"Ref": "AWS::StackId"}
    assert "TaskLog" in str(statements["logs:GetLogEvents"]["Resource"])
    assert statements.keys() == {
        "cloudformation:DescribeStacks",
        "ecs:RunTask",
        "['ecs:DescribeTasks', 'ecs:StopTask']",
        "iam:PassRole",
        "logs:GetLogEvents",
        "['logs:CreateLogStream', 'logs:PutLogEvents']",
    }


def _cluster(stack: cdk.Stack) -> str:
    (logical_id,) = Template.from_stack(stack).find_resources("AWS::ECS::Cluster")
    return str(logical_id)


def test_it_runs_only_once_the_task_may_pull_its_image_and_read_its_secrets(stack: cdk.Stack) -> None:
    needed = Match.string_like_regexp("TaskExecutionRoleDefaultPolicy")
    Template.from_stack(stack).has_resource(CUSTOM, {"DependsOn": Match.array_with([needed])})
