"""What a plan has done in a region by functions: their names, what they are told, and what they may."""

import json
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_elasticloadbalancingv2 as elbv2
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk.assertions import Template

from gatehouse.collector import METRICS, signs_of_writing
from gatehouse.kubernetes.cluster_reference import ClusterReference
from gatehouse.kubernetes.recovery import EksActions
from gatehouse.recovery.actions import DataActions, EcsActions, FunctionSettings
from gatehouse.recovery.environment import function_names
from tests.constructs.conftest import ACCOUNT, REGION
from tests.constructs.parts import imported_vpc, new_stack

OTHER_REGION = "us-east-1"
GROUP = f"arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:targetgroup/one/1"
ACCESS_POINT = f"arn:aws:s3::{ACCOUNT}:accesspoint/example.mrap"
CLUSTER = f"arn:aws:eks:{REGION}:{ACCOUNT}:cluster/gatehouse-prod"
DATA_STEPS = ["await-replica", "route-objects", "settle-replica", "verify"]
SIZES = ["fence-old-region", "open-region", "stand-by"]
_POLICIES = "arn:aws:eks::aws:cluster-access-policy"


def _settings(stack: cdk.Stack) -> FunctionSettings:
    key = kms.Key.from_key_arn(stack, "Key", f"arn:aws:kms:{REGION}:{ACCOUNT}:key/logs")
    return FunctionSettings(
        names=function_names("prod"),
        log_key=key,
        log_retention=logs.RetentionDays.ONE_YEAR,
        removal_policy=cdk.RemovalPolicy.DESTROY,
    )


@pytest.fixture(scope="module")
def ecs() -> Template:
    """All functions of a region whose gateways run on ECS."""
    stack = new_stack()
    settings = _settings(stack)
    DataActions(
        stack,
        "Data",
        settings=settings,
        database="gatehouse-prod",
        database_settings={"MultiAZ": True},
        database_logs=["postgresql"],
        other_region=OTHER_REGION,
        buckets={OTHER_REGION: "objects-1", REGION: "objects-2"},
        access_point_arn=ACCESS_POINT,
        target_groups=[
            elbv2.ApplicationTargetGroup.from_target_group_attributes(stack, "Group", target_group_arn=GROUP)
        ],
        minimum_gateways=6,
        signs_of_writing=signs_of_writing("prod"),
    )
    EcsActions(
        stack,
        "Ecs",
        settings=settings,
        cluster="gateways",
        service="gateway",
        full_minimum=6,
        standby_minimum=2,
        maximum=40,
    )
    return Template.from_stack(stack)


@pytest.fixture(scope="module")
def eks() -> Template:
    """The functions that size the gateways of a region where they run on EKS."""
    stack = new_stack()
    EksActions(
        stack,
        "Eks",
        settings=_settings(stack),
        cluster=ClusterReference(
            name="gatehouse-prod",
            arn=CLUSTER,
            security_group=ec2.SecurityGroup.from_security_group_id(stack, "ClusterGroup", "sg-cluster"),
            identity="pod-identity",
            oidc_provider=None,
            load_balancing="auto-mode",
            manifests=[],
            ready=[],
        ),
        namespace="gatehouse",
        vpc=imported_vpc(stack),
        subnets=ec2.SubnetSelection(subnet_group_name="service"),
        endpoints_security_group=ec2.SecurityGroup.from_security_group_id(stack, "Endpoints", "sg-endpoints"),
        full_minimum=6,
        standby_minimum=2,
    )
    return Template.from_stack(stack)


def _functions(template: Template) -> dict[str, Any]:
    """Each function's properties by its name."""
    functions = template.find_resources("AWS::Lambda::Function").values()
    return {function["Properties"]["FunctionName"]: function["Properties"] for function in functions}


def _function(template: Template, step: str) -> Any:
    return _functions(template)[f"gatehouse-prod-{step}"]


def _allowed(template: Template, step: str) -> list[tuple[Any, Any, Any]]:
    """Actions, resources and conditions of what a step's function may do beside writing its log."""
    role = _function(template, step)["Role"]["Fn::GetAtt"][0]
    statements = [
        statement
        for policy in template.find_resources("AWS::IAM::Policy").values()
        if {"Ref": role} in policy["Properties"]["Roles"]
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        if "logs:PutLogEvents" not in statement["Action"] and "ec2:" not in str(statement["Action"])
    ]
    return [(each["Action"], each["Resource"], each.get("Condition")) for each in statements]


def test_the_plan_finds_each_by_its_name(ecs: Template) -> None:
    assert _functions(ecs).keys() == set(function_names("prod").values())
    assert set(function_names("prod")) == {*DATA_STEPS, *SIZES}


def test_on_eks_others_of_the_same_names_size_the_gateways(eks: Template) -> None:
    assert _functions(eks).keys() == {f"gatehouse-prod-{step}" for step in SIZES}


@pytest.mark.parametrize(
    ("step", "bounds"),
    [("fence-old-region", ("0", "0")), ("open-region", ("6", "40")), ("stand-by", ("2", "40"))],
)
def test_a_service_is_sized_for_what_its_region_is(ecs: Template, step: str, bounds: tuple[str, str]) -> None:
    variables = _function(ecs, step)["Environment"]["Variables"]
    assert (variables["MINIMUM"], variables["MAXIMUM"]) == bounds
    assert (variables["CLUSTER"], variables["SERVICE"]) == ("gateways", "gateway")
    service, bounds_of = _allowed(ecs, step)
    assert service == (
        ["ecs:DescribeServices", "ecs:UpdateService"],
        f"arn:aws:ecs:{REGION}:{ACCOUNT}:service/gateways/gateway",
        None,
    )
    assert bounds_of[0] == "application-autoscaling:RegisterScalableTarget"
    assert bounds_of[2] == {
        "StringEquals": {
            "application-autoscaling:scalable-dimension": "ecs:service:DesiredCount",
            "application-autoscaling:service-namespace": "ecs",
        }
    }


@pytest.mark.parametrize(
    ("step", "minimum"), [("fence-old-region", "0"), ("open-region", "6"), ("stand-by", "2")]
)
def test_a_deployment_is_sized_for_what_its_region_is(eks: Template, step: str, minimum: str) -> None:
    function = _function(eks, step)
    variables = function["Environment"]["Variables"]
    assert variables["MINIMUM"] == minimum
    assert (variables["NAMESPACE"], variables["DEPLOYMENT"]) == ("gatehouse", "gateway")
    assert json.loads(variables["POD_LABELS"])["app.kubernetes.io/component"] == "gateway"
    assert _allowed(eks, step) == [("eks:DescribeCluster", CLUSTER, None)]


def test_in_the_cluster_they_may_scale_and_look_in_the_gateways_namespace_alone(eks: Template) -> None:
    entries = [entry["Properties"] for entry in eks.find_resources("AWS::EKS::AccessEntry").values()]
    assert len(entries) == len(SIZES)
    scope = {"Type": "namespace", "Namespaces": ["gatehouse"]}
    for entry in entries:
        assert entry["AccessPolicies"] == [
            {"PolicyArn": f"{_POLICIES}/{policy}", "AccessScope": scope}
            for policy in ("AmazonARCRegionSwitchScalingPolicy", "AmazonEKSViewPolicy")
        ]


def test_they_reach_the_clusters_private_api(eks: Template) -> None:
    (group,) = eks.find_resources("AWS::EC2::SecurityGroup")
    for function in _functions(eks).values():
        assert function["VpcConfig"]["SubnetIds"] == ["subnet-service-a", "subnet-service-b"]
        assert function["VpcConfig"]["SecurityGroupIds"] == [{"Fn::GetAtt": [group, "GroupId"]}]
    rules = [rule["Properties"] for rule in eks.find_resources("AWS::EC2::SecurityGroupIngress").values()]
    assert {(rule["GroupId"], rule["FromPort"]) for rule in rules} == {
        ("sg-cluster", 443),
        ("sg-endpoints", 443),
    }


def test_the_replica_is_awaited_by_metrics_of_both_regions(ecs: Template) -> None:
    variables = _function(ecs, "await-replica")["Environment"]["Variables"]
    assert variables == {"DATABASE": "gatehouse-prod", "SOURCE_REGION": OTHER_REGION}
    assert _allowed(ecs, "await-replica") == [("cloudwatch:GetMetricStatistics", "*", None)]


def test_objects_are_routed_through_their_one_access_point(ecs: Template) -> None:
    variables = _function(ecs, "route-objects")["Environment"]["Variables"]
    assert json.loads(variables["BUCKETS"]) == {OTHER_REGION: "objects-1", REGION: "objects-2"}
    assert (variables["ACCOUNT"], variables["ACCESS_POINT"]) == (ACCOUNT, ACCESS_POINT)
    actions = ["s3:GetMultiRegionAccessPointRoutes", "s3:SubmitMultiRegionAccessPointRoutes"]
    assert _allowed(ecs, "route-objects") == [(actions, ACCESS_POINT, None)]


def test_a_region_is_verified_by_its_database_and_a_full_regions_gateways(ecs: Template) -> None:
    variables = _function(ecs, "verify")["Environment"]["Variables"]
    assert json.loads(variables["TARGET_GROUPS"]) == [GROUP]
    assert (variables["DATABASE"], variables["MINIMUM"]) == ("gatehouse-prod", "6")
    instance = f"arn:aws:rds:{REGION}:{ACCOUNT}:db:gatehouse-prod"
    assert _allowed(ecs, "verify") == [
        ("rds:DescribeDBInstances", instance, None),
        (["cloudwatch:GetMetricData", "elasticloadbalancing:DescribeTargetHealth"], "*", None),
    ]


def test_a_region_is_verified_by_metrics_that_are_collected(ecs: Template) -> None:
    for sign in json.loads(_function(ecs, "verify")["Environment"]["Variables"]["SIGNS"]):
        metric = sign["stat"]["Metric"]
        environment, *labels = (dimension["Name"] for dimension in metric["Dimensions"])
        assert environment == "environment"
        assert metric["MetricName"] in METRICS[tuple(labels)]


def test_a_new_replica_is_given_the_settings_of_the_instance_that_it_replaces(ecs: Template) -> None:
    variables = _function(ecs, "settle-replica")["Environment"]["Variables"]
    assert variables["DATABASE"] == "gatehouse-prod"
    assert json.loads(variables["SETTINGS"]) == {"MultiAZ": True}
    assert json.loads(variables["LOGS"]) == ["postgresql"]
    instance = f"arn:aws:rds:{REGION}:{ACCOUNT}:db:gatehouse-prod"
    actions = ["rds:DescribeDBInstances", "rds:ModifyDBInstance"]
    assert _allowed(ecs, "settle-replica") == [(actions, instance, None)]


def test_each_gives_up_soon_because_the_plan_calls_again(ecs: Template, eks: Template) -> None:
    seconds = {
        name: each["Timeout"] for template in (ecs, eks) for name, each in _functions(template).items()
    }
    # The one that waits for RDS's own transactions, which come every five minutes.
    assert seconds.pop("gatehouse-prod-await-replica") == 600
    assert set(seconds.values()) == {60}
    configurations = [
        config["Properties"]["MaximumRetryAttempts"]
        for config in ecs.find_resources("AWS::Lambda::EventInvokeConfig").values()
    ]
    assert configurations == [0] * len(_functions(ecs))
