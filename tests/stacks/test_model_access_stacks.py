"""What each account and region gets that serves models."""

import json

import aws_cdk as cdk
import pytest
from aws_cdk.assertions import Template

from gateway.catalog import Catalog
from stacks.config.load import CONFIG_DIRECTORY, load_environment
from stacks.config.model import Environment
from stacks.config.model_access import ModelAccess
from stacks.config.standby import Standby
from stacks.model_access import add_model_access
from stacks.standby_catalog import regional_catalogs
from tests.stacks.conftest import Assembly

ROLE = "arn:aws:iam::444444444444:role/teams/models"
NOVA = "us.amazon.nova-lite-v1:0"
GUARDRAIL = {"content_filters": {"hate": "high", "prompt_attack": "medium"}}


@pytest.fixture(scope="module")
def places() -> dict[str, Template]:
    """The stacks of an environment that calls models in two regions of its own and in another account.

    The second is its standby's, whose gateways call there what they called in the first.
    """
    deployments: list[dict[str, object]] = [
        {"name": "own-1", "region": "us-east-1", "model_id": NOVA, "capacity": {"tokens_per_minute": 1000}},
        {"name": "own-2", "region": "us-west-2", "model_id": NOVA},
        {"name": "own-3", "region": "us-east-2", "model_id": NOVA},
        {"name": "other", "region": "us-west-2", "model_id": NOVA, "role_arn": ROLE},
    ]
    return _stacks(_environment(projects=("search", "se-arch"), guardrail=GUARDRAIL), deployments)


def _environment(**model_access: object) -> Environment:
    settings = ModelAccess.model_validate(model_access)
    return load_environment("prod").model_copy(update={"model_access": settings})


def _without_standby(config: Environment) -> Environment:
    return config.model_copy(update={"standby": Standby()})


def _stacks(config: Environment, deployments: list[dict[str, object]]) -> dict[str, Template]:
    placed = [{"provider": "bedrock", **each} for each in deployments]
    catalog = Catalog.model_validate({"models": [{"name": "model", "deployments": placed}]})
    flags = json.loads((CONFIG_DIRECTORY.parent / "cdk.json").read_text(encoding="utf-8"))["context"]
    app = cdk.App(context=flags, builtin_cloud_formation_validation=False, analytics_reporting=False)
    place = cdk.Environment(account=config.account, region=config.region)
    stage = cdk.Stage(app, "gatehouse-prod", env=place)
    add_model_access(stage, config=config, catalogs=regional_catalogs(config, catalog))
    stacks = [child for child in stage.node.children if isinstance(child, cdk.Stack)]
    return {stack.node.id: Template.from_stack(stack) for stack in stacks}


def _types(template: Template) -> set[str]:
    return {resource["Type"] for resource in template.to_json()["Resources"].values()}


def test_every_account_and_region_that_serves_models_has_a_stack(places: dict[str, Template]) -> None:
    assert places.keys() == {
        "ModelAccess-333333333333-us-east-1",
        "ModelAccess-333333333333-us-east-2",
        "ModelAccess-333333333333-us-west-2",
        # Of the role alone: roles belong to the environment's region, wherever the models are.
        "ModelAccess-444444444444-us-east-1",
        "ModelAccess-444444444444-us-west-2",
    }


def test_an_account_s_role_is_made_once(places: dict[str, Template]) -> None:
    named = {
        name: [
            role["Properties"].get("RoleName") for role in template.find_resources("AWS::IAM::Role").values()
        ]
        for name, template in places.items()
    }
    assert named.pop("ModelAccess-444444444444-us-east-1") == ["models"]
    assert {name for names in named.values() for name in names} == {None}
    assert _types(places["ModelAccess-444444444444-us-east-1"]) == {"AWS::IAM::Role", "AWS::IAM::Policy"}


def test_the_role_trusts_the_gateways_roles_of_both_regions_by_their_computed_names(
    places: dict[str, Template],
) -> None:
    (role,) = places["ModelAccess-444444444444-us-east-1"].find_resources("AWS::IAM::Role").values()
    assume, tag = role["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    roles = [
        f"arn:aws:iam::333333333333:role/gatehouse-prod-task-{region}"
        for region in ("us-east-1", "us-west-2")
    ]
    trusted = {"aws:PrincipalArn": roles}
    assert assume["Condition"]["ArnEquals"] == tag["Condition"]["ArnEquals"] == trusted
    assert assume["Condition"]["StringEquals"]["sts:ExternalId"] == "gatehouse-prod-333333333333"


def test_the_gateway_has_the_name_and_tells_the_external_id_that_roles_ask_for(
    production: Assembly,
) -> None:
    """Both sides are computed from the configuration, each in its own stack."""
    (role,) = production.resources("ModelAccess-444444444444-us-east-1", "AWS::IAM::Role").values()
    asked = role["Properties"]["AssumeRolePolicyDocument"]["Statement"][0]["Condition"]
    trusted = asked["ArnEquals"]["aws:PrincipalArn"]
    names = [
        task_role["Properties"].get("RoleName")
        for stack in ("Service", "Standby-Service")
        for task_role in production.resources(stack, "AWS::IAM::Role").values()
    ]
    assert {arn.rpartition("/")[2] for arn in trusted} <= set(names)
    told = [
        variable["Value"]
        for task in production.resources("Service", "AWS::ECS::TaskDefinition").values()
        for container in task["Properties"]["ContainerDefinitions"]
        for variable in container.get("Environment", [])
        if variable["Name"] == "GATEWAY_ROLE_EXTERNAL_ID"
    ]
    assert told == [asked["StringEquals"]["sts:ExternalId"]]


def test_a_stack_can_be_deployed_alone(places: dict[str, Template]) -> None:
    for template in places.values():
        text = json.dumps(template.to_json())
        assert "Fn::ImportValue" not in text
        assert "Fn::GetStackOutput" not in text


@pytest.mark.parametrize(
    ("stack", "topics"),
    [
        # The environment's own topics are the Observability stacks', one in each of its regions.
        ("ModelAccess-333333333333-us-east-1", 0),
        ("ModelAccess-333333333333-us-west-2", 0),
        ("ModelAccess-333333333333-us-east-2", 1),
        ("ModelAccess-444444444444-us-west-2", 1),
    ],
)
def test_alarms_tell_a_topic_of_their_own_account_and_region(
    places: dict[str, Template], stack: str, topics: int
) -> None:
    _, account, region = stack.split("-", 2)
    template = places[stack]
    topic = f"arn:aws:sns:{region}:{account}:gatehouse-prod-alarms"
    alarms = template.find_resources("AWS::CloudWatch::Alarm").values()
    assert alarms
    for alarm in alarms:
        assert alarm["Properties"]["AlarmActions"] == [topic]
    template.resource_count_is("AWS::SNS::Topic", topics)


def test_invocations_are_logged_without_prompts_and_with_a_key_of_the_account(
    places: dict[str, Template],
) -> None:
    template = places["ModelAccess-444444444444-us-west-2"]
    template.has_resource_properties("Custom::ModelInvocationLogging", {"Content": "false"})
    template.resource_count_is("AWS::KMS::Key", 1)
    for group in template.find_resources("AWS::Logs::LogGroup").values():
        assert "KmsKeyId" in group["Properties"]
        assert group["Properties"]["RetentionInDays"] == 365


@pytest.mark.parametrize(
    ("settings", "content"),
    [
        ({"invocation_logs": "content"}, ["true"]),
        ({"invocation_logs": "none"}, []),
        ({"logged_elsewhere": ["444444444444"]}, []),
    ],
)
def test_what_is_logged_is_the_owners_choice(settings: dict[str, object], content: list[str]) -> None:
    (template,) = _stacks(
        _without_standby(_environment(**settings)),
        [{"name": "other", "region": "us-east-1", "model_id": NOVA, "role_arn": ROLE}],
    ).values()
    resources = template.find_resources("Custom::ModelInvocationLogging").values()
    assert [resource["Properties"]["Content"] for resource in resources] == content
    assert bool(template.find_resources("AWS::Lambda::Function")) == bool(content)


def test_the_guardrail_and_the_profiles_are_told_as_outputs(places: dict[str, Template]) -> None:
    """Bedrock generates their IDs, which the catalog has to name."""
    template = places["ModelAccess-444444444444-us-west-2"]
    outputs = template.find_outputs("*")
    assert {"GuardrailId", "GuardrailVersion"} <= outputs.keys()
    told = {output["Value"]["Fn::GetAtt"][0]: output.get("Description") for output in outputs.values()}
    profiles = template.find_resources("AWS::Bedrock::ApplicationInferenceProfile")
    assert len(profiles) == 2
    for logical_id, profile in profiles.items():
        tags = {tag["Key"]: tag["Value"] for tag in profile["Properties"]["Tags"]}
        assert told[logical_id] == f"{NOVA} for {tags['gatehouse:project']}"


def test_a_place_without_bedrock_has_the_role_alone() -> None:
    endpoint = {"provider": "sagemaker", "region": "us-east-1", "endpoint_name": "llama", "role_arn": ROLE}
    (template,) = _stacks(_environment(guardrail=GUARDRAIL), [{"name": "llama", **endpoint}]).values()
    assert _types(template) == {"AWS::IAM::Role", "AWS::IAM::Policy"}
    (policy,) = template.find_resources("AWS::IAM::Policy").values()
    (statement,) = policy["Properties"]["PolicyDocument"]["Statement"]
    assert statement["Action"] == ["sagemaker:InvokeEndpoint", "sagemaker:InvokeEndpointWithResponseStream"]


def test_what_the_standby_calls_instead_has_its_place_and_is_allowed_to_it() -> None:
    """A role's models are those of both regions; the lost region's place is there before and after."""
    stacks = _stacks(
        _environment(invocation_logs="none"),
        [{"name": "other", "region": "us-east-1", "model_id": NOVA, "role_arn": ROLE}],
    )
    assert stacks.keys() == {"ModelAccess-444444444444-us-east-1", "ModelAccess-444444444444-us-west-2"}
    (policy,) = stacks["ModelAccess-444444444444-us-east-1"].find_resources("AWS::IAM::Policy").values()
    profiles = {
        f"arn:aws:bedrock:{region}:444444444444:inference-profile/{NOVA}"
        for region in ("us-east-1", "us-west-2")
    }
    first = policy["Properties"]["PolicyDocument"]["Statement"][0]
    assert profiles <= set(first["Resource"])
    alarms = stacks["ModelAccess-444444444444-us-west-2"].find_resources("AWS::CloudWatch::Alarm")
    assert {alarm["Properties"]["Dimensions"][0]["Value"] for alarm in alarms.values()} == {NOVA}


def test_without_a_standby_one_region_s_gateways_are_trusted() -> None:
    config = _without_standby(_environment(invocation_logs="none"))
    stacks = _stacks(config, [{"name": "o", "region": "us-east-1", "model_id": NOVA, "role_arn": ROLE}])
    assert stacks.keys() == {"ModelAccess-444444444444-us-east-1"}
    (role,) = stacks["ModelAccess-444444444444-us-east-1"].find_resources("AWS::IAM::Role").values()
    assume = role["Properties"]["AssumeRolePolicyDocument"]["Statement"][0]
    roles = ["arn:aws:iam::333333333333:role/gatehouse-prod-task-us-east-1"]
    assert assume["Condition"]["ArnEquals"]["aws:PrincipalArn"] == roles
