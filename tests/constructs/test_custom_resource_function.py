"""The platform's own functions: what code they get, what they may do, how their silence ends."""

import importlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs

from gatehouse.custom_resource_function import CustomResourceFunction
from gatehouse.python_function import USES, FunctionNetwork
from tests.constructs.conftest import ACCOUNT, REGION, ROOT
from tests.constructs.directories import KEY_ARN, Resources, new_stack

FUNCTIONS = ROOT / "constructs" / "gatehouse" / "functions"
NAMES = sorted(path.parent.name for path in FUNCTIONS.glob("*/index.py"))
FUNCTION = "AWS::Lambda::Function"
CUSTOM = "Custom::Something"
# With what it imports itself; certifi only where it is there.
BOTO3 = {"boto3", "botocore", "certifi", "dateutil", "jmespath", "s3transfer", "six", "urllib3"}
# Imports each function from what it gets, and prints what that has imported besides the standard library.
IMPORTS = """
import importlib, sys
before = set(sys.modules)
for name, asset in zip(sys.argv[1::2], sys.argv[2::2]):
    sys.path.insert(0, asset)
    importlib.import_module(f"gatehouse.functions.{name}.index")
    for module in [each for each in sys.modules if each.partition(".")[0] == "gatehouse"]:
        assert sys.modules.pop(module).__file__.startswith(asset)
imported = {module.partition(".")[0] for module in set(sys.modules) - before}
print(*(imported - sys.stdlib_module_names - {"__mp_main__"}))
"""


def _function(stack: cdk.Stack, name: str, network: FunctionNetwork | None = None) -> CustomResourceFunction:
    return CustomResourceFunction(
        stack,
        f"{name}-in-vpc" if network else name,
        handler=name,
        description=f"Does {name}",
        timeout=cdk.Duration.seconds(90),
        log_key=kms.Key.from_key_arn(stack, f"Key-{name}-{bool(network)}", KEY_ARN),
        log_retention=logs.RetentionDays.ONE_MONTH,
        removal_policy=cdk.RemovalPolicy.DESTROY,
        network=network,
    )


@pytest.fixture(scope="module")
def stack() -> cdk.Stack:
    """Every function there is, and one of them in a VPC."""
    stack = new_stack()
    vpc = ec2.Vpc.from_vpc_attributes(
        stack,
        "Vpc",
        vpc_id="vpc-1",
        availability_zones=["eu-central-1a"],
        private_subnet_ids=["subnet-1"],
        private_subnet_names=["service"],
        private_subnet_route_table_ids=["rtb-1"],
    )
    network = FunctionNetwork(
        vpc=vpc,
        subnets=ec2.SubnetSelection(subnet_group_name="service"),
        security_group=ec2.SecurityGroup.from_security_group_id(stack, "Group", "sg-1", mutable=False),
    )
    for name in NAMES:
        outside = _function(stack, name)
    outside.resource(stack, "Outside", resource_type=CUSTOM, properties={})
    function = _function(stack, "run_task", network)
    function.let_see_its_stack()
    function.resource(stack, "Resource", resource_type=CUSTOM, properties={"Size": 1})
    return stack


@pytest.fixture(scope="module")
def resources(stack: cdk.Stack) -> Resources:
    return Resources(stack)


@pytest.fixture(scope="module")
def assets(stack: cdk.Stack, resources: Resources) -> dict[str, Path]:
    """The code that each function gets, by its name."""
    app = cdk.App.of(stack)
    assert app is not None
    return {
        function["Handler"].split(".")[2]: Path(app.outdir) / f"asset.{Path(function['Code']['S3Key']).stem}"
        for function in resources.properties(FUNCTION)
    }


@pytest.fixture(scope="module")
def in_vpc(resources: Resources) -> list[dict[str, Any]]:
    """What the role of the function in a VPC may do."""
    (policy,) = (p for p in resources.properties("AWS::IAM::Policy") if "invpc" in p["Roles"][0]["Ref"])
    statements: list[dict[str, Any]] = policy["PolicyDocument"]["Statement"]
    return statements


def test_a_function_gets_its_own_code_and_what_they_share(assets: dict[str, Path]) -> None:
    """Then a change of one function is not deployed as a change of the others."""
    assert sorted(assets) == NAMES
    shared = {f"gatehouse/functions/{path.name}" for path in FUNCTIONS.glob("*.py")}
    for name, asset in assets.items():
        files = {str(path.relative_to(asset)) for path in asset.rglob("*") if path.is_file()}
        own = {
            f"gatehouse/functions/{path.relative_to(FUNCTIONS)}"
            for folder in (name, *USES.get(name, ()))
            for path in (FUNCTIONS / folder).rglob("*.py")
        }
        assert files == own | shared | {"gatehouse/__init__.py"}


def test_the_code_needs_the_standard_library_and_boto3_alone(assets: dict[str, Path]) -> None:
    arguments = [word for name, asset in assets.items() for word in (name, str(asset))]
    ran = subprocess.run(
        [sys.executable, "-I", "-c", IMPORTS, *arguments], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    assert set(ran.stdout.split()) <= BOTO3


def test_lambda_finds_what_it_calls(resources: Resources) -> None:
    for function in resources.properties(FUNCTION):
        module, _, name = function["Handler"].rpartition(".")
        assert callable(getattr(importlib.import_module(module), name))
        assert function["Runtime"] == "python3.14"
        assert function["Architectures"] == ["arm64"]


def test_a_function_s_log_is_encrypted_and_expires(resources: Resources) -> None:
    groups = resources.properties("AWS::Logs::LogGroup")
    functions = resources.properties(FUNCTION)
    assert [(group["KmsKeyId"], group["RetentionInDays"]) for group in groups] == [(KEY_ARN, 30)] * len(
        functions
    )
    named = {function["LoggingConfig"]["LogGroup"]["Ref"] for function in functions}
    assert named == {name for name, r in resources.by_id.items() if r["Type"] == "AWS::Logs::LogGroup"}


def test_a_function_may_write_its_log_and_nothing_else(resources: Resources) -> None:
    assert all("ManagedPolicyArns" not in role for role in resources.properties("AWS::IAM::Role"))
    policy = resources.named("pretokenRole", "AWS::IAM::Policy")
    (statement,) = policy["PolicyDocument"]["Statement"]
    assert statement["Action"] == ["logs:CreateLogStream", "logs:PutLogEvents"]
    assert "pretokenLogGroup" in str(statement["Resource"])


def test_cloudformation_waits_as_long_as_the_function_may_run(resources: Resources) -> None:
    """Longer for one in a VPC, which may have to wake up first."""
    assert int(resources.named("Outside", CUSTOM)["ServiceTimeout"]) == 90
    resource = resources.named("Resource", CUSTOM)
    assert int(resource["ServiceTimeout"]) == resources.named("invpc", FUNCTION)["Timeout"] + 300 == 390
    assert resource["Size"] == 1


def test_nobody_answers_a_request_twice(resources: Resources) -> None:
    invokes = resources.properties("AWS::Lambda::EventInvokeConfig")
    assert [invoke["MaximumRetryAttempts"] for invoke in invokes] == [0] * (len(NAMES) + 1)


def test_a_resource_is_made_when_its_function_may_and_gone_before_it_may_no_more(
    resources: Resources,
) -> None:
    (resource,) = (r for name, r in resources.by_id.items() if name.startswith("Resource"))
    assert any("invpcRoleDefaultPolicy" in name for name in resource["DependsOn"])


def test_a_function_may_see_its_own_stack(in_vpc: list[dict[str, Any]]) -> None:
    (statement,) = (s for s in in_vpc if s["Action"] == "cloudformation:DescribeStacks")
    assert statement["Resource"] == {"Ref": "AWS::StackId"}


def test_a_function_is_in_the_subnets_and_the_group_given(resources: Resources) -> None:
    found = [function["VpcConfig"] for function in resources.properties(FUNCTION) if "VpcConfig" in function]
    assert found == [{"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}]


def test_network_interfaces_are_for_lambda_and_not_for_the_code(in_vpc: list[dict[str, Any]]) -> None:
    """A call of the code tells the function that makes it; Lambda's own, with the same role, does not."""
    allowed = {a for s in in_vpc if s["Effect"] == "Allow" for a in s["Action"] if a.startswith("ec2:")}
    (denial,) = (s for s in in_vpc if s["Effect"] == "Deny")
    assert set(denial["Action"]) == allowed
    assert allowed == {
        "ec2:AssignPrivateIpAddresses",
        "ec2:CreateNetworkInterface",
        "ec2:DeleteNetworkInterface",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSubnets",
        "ec2:UnassignPrivateIpAddresses",
    }
    functions = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:*"
    assert denial["Condition"] == {"ArnLike": {"lambda:SourceFunctionArn": functions}}
    for statement in in_vpc:
        if "ec2:CreateNetworkInterface" in statement["Action"] and statement["Effect"] == "Allow":
            assert statement["Resource"] == f"arn:aws:ec2:{REGION}:{ACCOUNT}:*/*"
