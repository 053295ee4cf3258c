"""Manifests in a template, and the function that applies them: what it reaches, and what it may."""

import json
from collections.abc import Mapping
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk.assertions import Template

from gatehouse.functions.apply_manifests import ownership
from gatehouse.kubernetes.applied_manifests import RESOURCE_TYPE, AppliedManifests, ManifestFunction
from gatehouse.kubernetes.cluster_reference import ClusterReference
from gatehouse.kubernetes.manifest import MANAGED_BY, Manifest
from tests.constructs.conftest import ACCOUNT, REGION

ARN = f"arn:aws:eks:{REGION}:{ACCOUNT}:cluster/gatehouse-prod"
NAMESPACE: Manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "gatehouse"}}
Resources = Mapping[str, dict[str, Any]]


def _function(stack: cdk.Stack) -> ManifestFunction:
    key = kms.Key.from_key_arn(stack, "Key", f"arn:aws:kms:{REGION}:{ACCOUNT}:key/imported")
    vpc = ec2.Vpc.from_vpc_attributes(
        stack,
        "Vpc",
        vpc_id="vpc-1",
        availability_zones=[f"{REGION}a", f"{REGION}b"],
        private_subnet_ids=["subnet-service-a", "subnet-service-b"],
        private_subnet_names=["service"],
    )
    cluster = ClusterReference(
        name="gatehouse-prod",
        arn=ARN,
        security_group=ec2.SecurityGroup.from_security_group_id(stack, "ClusterGroup", "sg-cluster"),
        identity="pod-identity",
        oidc_provider=None,
        load_balancing="auto-mode",
        manifests=[],
        ready=[],
    )
    return ManifestFunction(
        stack,
        "Manifests",
        cluster=cluster,
        vpc=vpc,
        subnets=ec2.SubnetSelection(subnet_group_name="service"),
        endpoints_security_group=ec2.SecurityGroup.from_security_group_id(
            stack, "EndpointGroup", "sg-endpoints"
        ),
        alarms=[
            cloudwatch.Alarm(
                stack,
                "Alarm",
                alarm_name="errors",
                metric=cloudwatch.Metric(
                    namespace="AWS/ApplicationELB", metric_name="HTTPCode_Target_5XX_Count"
                ),
                threshold=1,
                evaluation_periods=1,
            )
        ],
        log_key=key,
        log_retention=logs.RetentionDays.ONE_MONTH,
        removal_policy=cdk.RemovalPolicy.DESTROY,
    )


def _stack() -> cdk.Stack:
    app = cdk.App(builtin_cloud_formation_validation=False, analytics_reporting=False)
    return cdk.Stack(app, "Stack", env=cdk.Environment(account=ACCOUNT, region=REGION))


@pytest.fixture(scope="module")
def resources() -> Resources:
    stack = _stack()
    function = _function(stack)
    topic = cdk.CfnResource(stack, "Topic", type="AWS::SNS::Topic")
    deployment: Manifest = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "gateway", "namespace": "gatehouse", "annotations": {"topic": topic.ref}},
        "spec": {"minReadySeconds": 10, "paused": False},
    }
    AppliedManifests(stack, "Before", function=function, manifests=[NAMESPACE], watch_alarms=False)
    AppliedManifests(stack, "Workload", function=function, manifests=[deployment], watch_alarms=True)
    resources: Resources = Template.from_stack(stack).to_json()["Resources"]
    return resources


def _of_type(resources: Resources, resource_type: str) -> dict[str, dict[str, Any]]:
    return {name: resource for name, resource in resources.items() if resource["Type"] == resource_type}


def _applied(resources: Resources, name: str) -> dict[str, Any]:
    (found,) = (r for i, r in _of_type(resources, RESOURCE_TYPE).items() if i.startswith(name))
    return found


def _statements(resources: Resources) -> dict[str, dict[str, Any]]:
    (policy,) = _of_type(resources, "AWS::IAM::Policy").values()
    statements = policy["Properties"]["PolicyDocument"]["Statement"]
    return {str(statement["Action"]): statement for statement in statements}


def test_manifests_are_one_string_with_their_types_kept(resources: Resources) -> None:
    """CloudFormation would hand 10 and false over as "10" and "false", which Kubernetes refuses."""
    before = _applied(resources, "Before")["Properties"]["Manifests"]
    assert json.loads(before) == [NAMESPACE]
    workload = _applied(resources, "Workload")["Properties"]["Manifests"]
    parts = workload["Fn::Join"][1]
    assert {"Ref": "Topic"} in parts
    text = "".join(part if isinstance(part, str) else "topic" for part in parts)
    (deployment,) = json.loads(text)
    assert deployment["spec"] == {"minReadySeconds": 10, "paused": False}


def test_alarms_are_watched_where_they_are_wanted(resources: Resources) -> None:
    assert _applied(resources, "Before")["Properties"]["Alarms"] == []
    (alarm,) = _of_type(resources, "AWS::CloudWatch::Alarm")
    assert _applied(resources, "Workload")["Properties"]["Alarms"] == [{"Ref": alarm}]


def test_the_cluster_is_named(resources: Resources) -> None:
    assert _applied(resources, "Workload")["Properties"]["Cluster"] == "gatehouse-prod"


def test_silence_ends_soon_after_the_function_s_own_time(resources: Resources) -> None:
    (function,) = _of_type(resources, "AWS::Lambda::Function").values()
    times = {int(r["Properties"]["ServiceTimeout"]) for r in _of_type(resources, RESOURCE_TYPE).values()}
    assert (times, function["Properties"]["Timeout"]) == ({1200}, 900)
    (invoke,) = _of_type(resources, "AWS::Lambda::EventInvokeConfig").values()
    assert invoke["Properties"]["MaximumRetryAttempts"] == 0


def test_it_runs_in_the_subnets_of_the_service_with_a_group_of_its_own(resources: Resources) -> None:
    (function,) = _of_type(resources, "AWS::Lambda::Function").values()
    (group,) = _of_type(resources, "AWS::EC2::SecurityGroup")
    assert function["Properties"]["Handler"] == "gatehouse.functions.apply_manifests.index.on_event"
    assert function["Properties"]["VpcConfig"] == {
        "SecurityGroupIds": [{"Fn::GetAtt": [group, "GroupId"]}],
        "SubnetIds": ["subnet-service-a", "subnet-service-b"],
    }


def test_it_connects_by_tls_and_nobody_connects_to_it(resources: Resources) -> None:
    (group_id,) = _of_type(resources, "AWS::EC2::SecurityGroup")
    group = resources[group_id]["Properties"]
    assert "SecurityGroupIngress" not in group
    (rule,) = group["SecurityGroupEgress"]
    assert (rule["CidrIp"], rule["IpProtocol"], rule["FromPort"], rule["ToPort"]) == (
        "0.0.0.0/0",
        "tcp",
        443,
        443,
    )


def test_the_cluster_and_the_endpoints_admit_it(resources: Resources) -> None:
    (group_id,) = _of_type(resources, "AWS::EC2::SecurityGroup")
    rules = [rule["Properties"] for rule in _of_type(resources, "AWS::EC2::SecurityGroupIngress").values()]
    assert {rule["GroupId"] for rule in rules} == {"sg-cluster", "sg-endpoints"}
    for rule in rules:
        assert rule["SourceSecurityGroupId"] == {"Fn::GetAtt": [group_id, "GroupId"]}
        assert (rule["IpProtocol"], rule["FromPort"], rule["ToPort"]) == ("tcp", 443, 443)


def test_nothing_is_applied_before_the_function_gets_through(resources: Resources) -> None:
    """Nor after: when a stack goes, what was applied goes while the cluster still admits the function."""
    needed = {
        *_of_type(resources, "AWS::EC2::SecurityGroupIngress"),
        *_of_type(resources, "AWS::IAM::Policy"),
    }
    for applied in _of_type(resources, RESOURCE_TYPE).values():
        assert needed <= set(applied["DependsOn"])


def test_it_may_read_what_it_has_to_know(resources: Resources) -> None:
    statements = _statements(resources)
    assert statements["eks:DescribeCluster"]["Resource"] == ARN
    assert statements["cloudformation:DescribeStacks"]["Resource"] == {"Ref": "AWS::StackId"}
    alarms = statements["cloudwatch:DescribeAlarms"]["Resource"]
    assert str(alarms).endswith(f":cloudwatch:{REGION}:{ACCOUNT}:alarm:*']]}}")
    own = {"eks:DescribeCluster", "cloudformation:DescribeStacks", "cloudwatch:DescribeAlarms"}
    others = {action for action in statements if not action.startswith("[")} - own
    assert others == set()


def test_a_secret_never_stands_in_a_template() -> None:
    stack = _stack()
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "key"}, "data": {"key": "dmFsdWU="}}
    with pytest.raises(ValueError, match="key is a Secret, whose value would stand in the template"):
        AppliedManifests(stack, "Applied", function=_function(stack), manifests=[secret], watch_alarms=False)


def test_the_function_s_label_is_the_platform_s() -> None:
    """It is packaged alone and cannot import it."""
    assert {ownership.MANAGED_BY: "gatehouse"} == MANAGED_BY
