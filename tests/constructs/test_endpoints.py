"""The VPC's endpoints: one for all that tasks call, private, reached by tasks alone, with a narrow policy."""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk.assertions import Template

from gatehouse.endpoints import ServiceEndpoints
from gatehouse.security_groups import SecurityGroups
from gateway.catalog import Catalog
from tests.constructs.conftest import ACCOUNT, REGION, ROOT

OTHER_ACCOUNT = "222222222222"
THIRD_ACCOUNT = "333333333333"
ROLE = f"arn:aws:iam::{OTHER_ACCOUNT}:role/models"
ROLE_ELSEWHERE = f"arn:aws:iam::{THIRD_ACCOUNT}:role/models"
KEY_ELSEWHERE = f"arn:aws:secretsmanager:{REGION}:{OTHER_ACCOUNT}:secret:provider-AbCdEf"
HERE = {"provider": "bedrock", "region": REGION, "model_id": "eu.amazon.nova-lite-v1:0"}
SAGEMAKER = {"name": "own", "provider": "sagemaker", "region": REGION, "endpoint_name": "llama"}

FOR_EVERY_TASK = {
    "appconfigdata",
    "bedrock",
    "bedrock-runtime",
    "ecr.api",
    "ecr.dkr",
    "kms",
    "logs",
    "monitoring",
    "secretsmanager",
    "sts",
    "xray",
}
Statement = Mapping[str, Any]


def _catalog(*deployments: dict[str, Any]) -> str:
    """A catalog as JSON: one deployment in the region of the account's own, and a model for each of these."""
    every = [{"name": "here", **HERE}, *deployments]
    return json.dumps({"models": [{"name": each["name"], "deployments": [each]} for each in every]})


PLAIN = _catalog()


@cache
def _template(catalog: str = PLAIN, *, interfaces: bool = True, for_pods: bool = False) -> dict[str, Any]:
    context = json.loads((ROOT / "cdk.json").read_text(encoding="utf-8"))["context"]
    app = cdk.App(context=context, builtin_cloud_formation_validation=False, analytics_reporting=False)
    stack = cdk.Stack(app, "Stack", env=cdk.Environment(account=ACCOUNT, region=REGION))
    vpc = ec2.Vpc.from_vpc_attributes(
        stack,
        "Vpc",
        vpc_id="vpc-1",
        availability_zones=[f"{REGION}a", f"{REGION}b"],
        private_subnet_ids=["subnet-service-a", "subnet-service-b"],
        private_subnet_names=["service"],
        private_subnet_route_table_ids=["rtb-a", "rtb-b"],
    )
    groups = SecurityGroups(
        stack,
        "Groups",
        vpc=vpc,
        has_ipv6=False,
        load_balancer_asks_issuer=False,
        allowed_cidrs=["192.0.2.0/24"],
        service_port=8080,
        database_port=5432,
        cache_port=6379,
    )
    ServiceEndpoints(
        stack,
        "Endpoints",
        vpc=vpc,
        subnets=ec2.SubnetSelection(subnet_group_name="service"),
        security_group=groups.endpoints,
        catalog=Catalog.model_validate_json(catalog),
        interfaces=interfaces,
        for_pods=for_pods,
    )
    return dict(Template.from_stack(stack).to_json())


def _endpoints(template: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The properties of every endpoint by the service's name, such as ecr.api or s3."""
    found = [
        resource["Properties"]
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::EC2::VPCEndpoint"
    ]
    # S3's name is joined from the region, which CloudFormation fills in.
    return {_service(properties["ServiceName"]): properties for properties in found}


def _service(name: Any) -> str:
    text = name if isinstance(name, str) else "".join(map(str, name["Fn::Join"][1]))
    return text.rpartition("amazonaws.")[2].partition(".")[2]


def _policy(service: str, catalog: str = PLAIN, *, for_pods: bool = False) -> list[Statement]:
    endpoints = _endpoints(_template(catalog, for_pods=for_pods))
    statements: list[Statement] = endpoints[service]["PolicyDocument"]["Statement"]
    return statements


def _allowing(statements: list[Statement], action: str) -> Statement:
    (statement,) = [s for s in statements if action in _several(s["Action"])]
    return statement


def _several(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def _accounts(statement: Statement) -> list[str]:
    return _several(statement["Condition"]["StringEquals"]["aws:PrincipalAccount"])


def test_there_is_one_for_every_service_that_tasks_call() -> None:
    assert _endpoints(_template()).keys() == FOR_EVERY_TASK | {"s3"}


def test_sagemaker_has_one_where_the_catalog_has_models_of_it_in_the_region() -> None:
    elsewhere = SAGEMAKER | {"region": "us-east-1"}
    assert "sagemaker.runtime" in _endpoints(_template(_catalog(SAGEMAKER)))
    assert "sagemaker.runtime" not in _endpoints(_template(_catalog(elsewhere)))


def test_without_interface_endpoints_the_free_one_for_s3_is_left() -> None:
    assert _endpoints(_template(interfaces=False)).keys() == {"s3"}


@pytest.mark.parametrize("service", sorted(FOR_EVERY_TASK))
def test_tasks_find_it_by_the_service_s_own_name_in_every_zone(service: str) -> None:
    endpoint = _endpoints(_template())[service]
    assert endpoint["VpcEndpointType"] == "Interface"
    assert endpoint["PrivateDnsEnabled"] is True
    assert endpoint["SubnetIds"] == ["subnet-service-a", "subnet-service-b"]


def test_the_endpoint_for_s3_is_on_the_way_of_the_service_subnets_alone() -> None:
    endpoint = _endpoints(_template())["s3"]
    assert endpoint["VpcEndpointType"] == "Gateway"
    assert endpoint["RouteTableIds"] == ["rtb-a", "rtb-b"]


def test_tasks_alone_reach_them() -> None:
    template = _template()
    for service in FOR_EVERY_TASK:
        (group,) = _endpoints(template)[service]["SecurityGroupIds"]
        assert group["Fn::GetAtt"][0].startswith("GroupsEndpoints")
    (rule,) = [
        resource["Properties"]
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::EC2::SecurityGroupIngress"
        and resource["Properties"]["GroupId"]["Fn::GetAtt"][0].startswith("GroupsEndpoints")
    ]
    assert rule["SourceSecurityGroupId"]["Fn::GetAtt"][0].startswith("GroupsService")
    assert rule["FromPort"] == rule["ToPort"] == 443


@pytest.mark.parametrize("service", sorted(FOR_EVERY_TASK))
def test_no_policy_lets_anybody_do_anything(service: str) -> None:
    statements = _policy(service)
    assert statements
    for statement in statements:
        assert statement["Effect"] == "Allow"
        assert _accounts(statement) == [ACCOUNT]
        assert not any("*" in action for action in _several(statement["Action"]))


# What has no resource of its own, or none that could be named.
WITHOUT_RESOURCE = {
    "bedrock:CallWithBearerToken",
    "bedrock:GetFoundationModel",
    "bedrock:GetInferenceProfile",
    "bedrock:ListFoundationModels",
    "bedrock:ListInferenceProfiles",
    "cloudwatch:PutMetricData",
    "ecr:GetAuthorizationToken",
    "sts:GetCallerIdentity",
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
}


def test_what_has_a_resource_is_allowed_on_resources_of_a_kind() -> None:
    without = {
        action
        for service in FOR_EVERY_TASK
        for statement in _policy(service)
        if "*" in _several(statement["Resource"])
        for action in _several(statement["Action"])
    }
    assert without == WITHOUT_RESOURCE


@pytest.mark.parametrize(
    ("service", "action", "resource"),
    [
        ("kms", "kms:Decrypt", f"arn:aws:kms:{REGION}:{ACCOUNT}:key/*"),
        ("logs", "logs:PutLogEvents", f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:*"),
        (
            "secretsmanager",
            "secretsmanager:GetSecretValue",
            f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:*",
        ),
        (
            "appconfigdata",
            "appconfig:GetLatestConfiguration",
            f"arn:aws:appconfig:{REGION}:{ACCOUNT}:application/*/environment/*/configuration/*",
        ),
    ],
)
def test_only_the_account_s_own_resources_are_reached(service: str, action: str, resource: str) -> None:
    assert _several(_allowing(_policy(service), action)["Resource"]) == [resource]


@pytest.mark.parametrize("service", ["ecr.api", "ecr.dkr"])
def test_images_are_pulled_from_registries_of_the_region_and_never_pushed(service: str) -> None:
    statement = _allowing(_policy(service), "ecr:BatchGetImage")
    assert _several(statement["Resource"]) == [f"arn:aws:ecr:{REGION}:*:repository/*"]
    actions = {action for s in _policy(service) for action in _several(s["Action"])}
    assert actions == {
        "ecr:BatchCheckLayerAvailability",
        "ecr:BatchGetImage",
        "ecr:GetAuthorizationToken",
        "ecr:GetDownloadUrlForLayer",
    }


def test_no_role_is_assumed_unless_the_catalog_names_it() -> None:
    actions = [action for statement in _policy("sts") for action in _several(statement["Action"])]
    assert actions == ["sts:GetCallerIdentity"]


def test_the_catalog_s_roles_are_assumed_with_tags_wherever_their_models_are() -> None:
    here = {"name": "other", **HERE, "role_arn": ROLE}
    elsewhere = {"name": "third", **HERE, "region": "eu-west-1", "role_arn": ROLE_ELSEWHERE}
    statement = _allowing(_policy("sts", _catalog(here, elsewhere)), "sts:AssumeRole")
    assert "sts:TagSession" in statement["Action"]
    assert statement["Resource"] == [ROLE, ROLE_ELSEWHERE]
    assert _accounts(statement) == [ACCOUNT]


def test_sessions_of_other_accounts_call_the_models_of_this_region_and_theirs_alone() -> None:
    """A role's session is a caller of the role's account, and comes through this same endpoint."""
    here = {"name": "other", **HERE, "role_arn": ROLE}
    elsewhere = {"name": "third", **HERE, "region": "eu-west-1", "role_arn": ROLE_ELSEWHERE}
    statements = _policy("bedrock-runtime", _catalog(here, elsewhere))
    for statement in statements:
        assert _accounts(statement) == [ACCOUNT, OTHER_ACCOUNT]
    resources = _allowing(statements, "bedrock:InvokeModel")["Resource"]
    assert f"arn:aws:bedrock:*:{OTHER_ACCOUNT}:inference-profile/*" in resources
    assert not any(THIRD_ACCOUNT in resource for resource in resources)


def test_models_of_aws_and_the_account_s_profiles_and_guardrails_are_called() -> None:
    statement = _allowing(_policy("bedrock-runtime"), "bedrock:InvokeModel")
    assert set(statement["Resource"]) == {
        "arn:aws:bedrock:*::foundation-model/*",
        f"arn:aws:bedrock:*:{ACCOUNT}:application-inference-profile/*",
        f"arn:aws:bedrock:*:{ACCOUNT}:guardrail-profile/*",
        f"arn:aws:bedrock:*:{ACCOUNT}:guardrail/*",
        f"arn:aws:bedrock:*:{ACCOUNT}:inference-profile/*",
    }
    assert set(statement["Action"]) == {
        "bedrock:ApplyGuardrail",
        "bedrock:CountTokens",
        "bedrock:InvokeModel",
        "bedrock:InvokeModelWithResponseStream",
    }
    assert _allowing(_policy("bedrock-runtime"), "bedrock:CallWithBearerToken")


def test_a_guardrail_and_a_profile_that_another_account_shares_are_used() -> None:
    profiles = f"arn:aws:bedrock:{REGION}:{OTHER_ACCOUNT}:application-inference-profile"
    shared = {
        "name": "shared",
        **HERE,
        "application_profile_arn": f"{profiles}/a1",
        "guardrail": {"identifier": f"arn:aws:bedrock:{REGION}:{THIRD_ACCOUNT}:guardrail/g1", "version": "1"},
    }
    statement = _allowing(_policy("bedrock-runtime", _catalog(shared)), "bedrock:InvokeModel")
    assert f"arn:aws:bedrock:*:{OTHER_ACCOUNT}:application-inference-profile/*" in statement["Resource"]
    assert f"arn:aws:bedrock:*:{THIRD_ACCOUNT}:guardrail/*" in statement["Resource"]
    assert _accounts(statement) == [ACCOUNT]


def test_a_key_in_another_account_is_read_where_the_catalog_names_it() -> None:
    provider = {
        "name": "provider",
        "provider": "openai_compatible",
        "base_url": "https://api.example.com/v1",
        "model": "model",
        "api_key_secret": KEY_ELSEWHERE,
    }
    statement = _allowing(_policy("secretsmanager", _catalog(provider)), "secretsmanager:GetSecretValue")
    own = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:*"
    assert set(statement["Resource"]) == {own, KEY_ELSEWHERE}


def test_sagemaker_s_endpoints_are_called_in_the_accounts_that_the_catalog_names() -> None:
    catalog = _catalog(SAGEMAKER | {"role_arn": ROLE})
    (statement,) = _policy("sagemaker.runtime", catalog)
    assert set(_several(statement["Action"])) == {
        "sagemaker:InvokeEndpoint",
        "sagemaker:InvokeEndpointWithResponseStream",
    }
    assert _accounts(statement) == [ACCOUNT, OTHER_ACCOUNT]
    assert f"arn:aws:sagemaker:{REGION}:{OTHER_ACCOUNT}:endpoint/*" in statement["Resource"]


def test_s3_offers_the_account_s_buckets_and_the_layers_of_images() -> None:
    own, layers = _policy("s3")
    assert _accounts(own) == [ACCOUNT]
    assert own["Condition"]["StringEquals"]["s3:ResourceAccount"] == ACCOUNT
    assert {"s3:DeleteBucket", "s3:PutBucketPolicy"}.isdisjoint(own["Action"])
    # ECR signs the addresses of layers as a principal of its own.
    assert layers == {
        "Action": "s3:GetObject",
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Resource": f"arn:aws:s3:::prod-{REGION}-starport-layer-bucket/*",
    }


FOR_PODS = {"cloudformation", "ec2", "eks", "eks-auth"}


def test_nodes_pods_and_their_deployment_have_some_more() -> None:
    with_pods = _endpoints(_template(for_pods=True)).keys()
    assert with_pods == FOR_EVERY_TASK | FOR_PODS | {"s3"}


@pytest.mark.parametrize(
    ("service", "action", "resource"),
    [
        ("eks", "eks:DescribeCluster", f"arn:aws:eks:{REGION}:{ACCOUNT}:cluster/*"),
        ("eks-auth", "eks-auth:AssumeRoleForPodIdentity", f"arn:aws:eks:{REGION}:{ACCOUNT}:cluster/*"),
        (
            "cloudformation",
            "cloudformation:DescribeStacks",
            f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/*",
        ),
        ("monitoring", "cloudwatch:DescribeAlarms", f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:*"),
    ],
)
def test_what_pods_and_their_deployment_ask_is_about_the_account_s_own(
    service: str, action: str, resource: str
) -> None:
    statement = _allowing(_policy(service, for_pods=True), action)
    assert _accounts(statement) == [ACCOUNT]
    assert _several(statement["Action"]) == [action]
    assert _several(statement["Resource"]) == [resource]


def test_no_instance_is_started_through_an_endpoint() -> None:
    (statement,) = _policy("ec2", for_pods=True)
    assert statement["Action"] == ["ec2:DescribeTags", "ec2:DescribeVolumes"]
    assert _accounts(statement) == [ACCOUNT]


def test_the_function_that_applies_manifests_answers_cloudformation() -> None:
    action = "s3:PutObject"
    bucket = "arn:aws:s3:::cloudformation-custom-resource-response-eucentral1/*"
    statements = _policy("s3", for_pods=True)
    (answer,) = [each for each in statements if _several(each["Action"]) == [action]]
    assert answer["Resource"] == bucket
    assert not any(_several(each["Action"]) == [action] for each in _policy("s3"))
