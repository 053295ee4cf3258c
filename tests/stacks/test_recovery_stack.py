"""The Recovery stack: its plan calls and changes what both regions' stacks really make."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from gatehouse import names
from gatehouse.recovery import steps
from local.region_switch.plan import Plan, plan_of_resource
from stacks.config.files import environment_names
from stacks.config.load import load_environment
from stacks.config.model import Environment

if TYPE_CHECKING:
    from tests.stacks.conftest import Assembly

WARM = [name for name in environment_names() if load_environment(name).standby.mode == "warm"]
RECOVERY = names.standby_stack("Recovery")


@pytest.fixture(scope="module", params=WARM)
def config(request: pytest.FixtureRequest) -> Environment:
    return load_environment(request.param)


@pytest.fixture(scope="module")
def assembly(config: Environment, assemblies: Callable[[str], "Assembly"]) -> "Assembly":
    return assemblies(config.name)


@pytest.fixture(scope="module")
def plan(assembly: "Assembly", config: Environment) -> Plan:
    """As the service gets it; its role is the one reference in it."""
    role = f"arn:aws:iam::{config.account}:role/{names.recovery_role(config.name)}"
    return plan_of_resource(
        {**_only(assembly, RECOVERY, "AWS::ARCRegionSwitch::Plan"), "ExecutionRole": role}
    )


def _only(assembly: "Assembly", stack: str, resource_type: str) -> dict[str, Any]:
    (resource,) = assembly.resources(stack, resource_type).values()
    properties: dict[str, Any] = resource["Properties"]
    return properties


def _in_both_regions(config: Environment, stack: str) -> list[tuple[str, str]]:
    """Each region, with the name of its stack."""
    return [(config.region, stack), (str(config.standby.region), names.standby_stack(stack))]


def _blocks(plan: Plan, kind: str) -> list[dict[str, Any]]:
    """What the plan says to each of its blocks of one kind."""
    found: list[dict[str, Any]] = []

    def look(parts: Any) -> None:
        for step in parts:
            (configuration,) = step["executionBlockConfiguration"].values()
            if step["executionBlockType"] == kind:
                found.append(configuration)
            look(step["executionBlockConfiguration"].get("parallelConfig", {}).get("steps", ()))

    for workflow in plan["workflows"]:
        look(workflow["steps"])
    return found


def test_it_has_the_name_by_which_it_is_found_and_the_objective(plan: Plan, config: Environment) -> None:
    assert plan["name"] == names.recovery_plan(config.name)
    assert plan["recoveryTimeObjectiveMinutes"] == config.standby.recovery_time_minutes
    assert plan["regions"] == [config.region, config.standby.region]


def test_every_function_that_it_calls_is_there_in_both_regions(
    assembly: "Assembly", plan: Plan, config: Environment
) -> None:
    called = {each["arn"] for block in _blocks(plan, "CustomActionLambda") for each in block["lambdas"]}
    made = {
        f"arn:aws:lambda:{region}:{config.account}:function:{function['Properties']['FunctionName']}"
        for region, stack in _in_both_regions(config, "Service")
        for function in assembly.resources(stack, "AWS::Lambda::Function").values()
        if "FunctionName" in function["Properties"]
    }
    assert called == made
    assert len(called) == 2 * len(steps.BY_FUNCTION)


def test_the_database_that_it_promotes_is_there_in_both_regions(
    assembly: "Assembly", plan: Plan, config: Environment
) -> None:
    for region, stack in _in_both_regions(config, "Data"):
        database = _only(assembly, stack, "AWS::RDS::DBInstance")["DBInstanceIdentifier"]
        for kind in ("RdsPromoteReadReplica", "RdsCreateCrossRegionReplica"):
            for block in _blocks(plan, kind):
                arn = f"arn:aws:rds:{region}:{config.account}:db:{database}"
                assert block["dbInstanceArnMap"][region] == arn


def test_the_records_that_it_turns_are_one_in_each_region(
    assembly: "Assembly", plan: Plan, config: Environment
) -> None:
    block = _blocks(plan, "Route53HealthCheck")[0]
    outputs = assembly.templates[RECOVERY]["Outputs"]
    for (region, stack), part in zip(_in_both_regions(config, "Edge"), ("PRIMARY", "SECONDARY"), strict=True):
        (record,) = [
            each["Properties"]
            for each in assembly.resources(stack, "AWS::Route53::RecordSet").values()
            if each["Properties"]["Name"] == f"{block['recordName']}." and each["Properties"]["Type"] == "A"
        ]
        assert record["Failover"] == part
        assert record["HostedZoneId"] == block["hostedZoneId"]
        assert {"region": region, "recordSetIdentifier": record["SetIdentifier"]} in block["recordSets"]
        (asked, output) = record["HealthCheckId"]["Fn::GetAtt"]
        assert output in outputs
        asked_of = assembly.templates[stack]["Resources"][asked]["Properties"]
        assert asked_of["StackName"] == f"gatehouse-{config.name}-{RECOVERY}"
        assert asked_of["Region"] == config.standby.region
        assert asked_of["Outputs"] == [output]


def test_the_gateways_that_it_scales_have_the_same_names_in_both_regions(
    assembly: "Assembly", plan: Plan, config: Environment
) -> None:
    if config.compute.platform == "eks":
        clusters = _blocks(plan, "EKSResourceScaling")[0]["eksClusters"]
        for (region, stack), cluster in zip(_in_both_regions(config, "Service"), clusters, strict=True):
            name = _only(assembly, stack, "AWS::EKS::Cluster")["Name"]
            assert cluster == {"clusterArn": f"arn:aws:eks:{region}:{config.account}:cluster/{name}"}
        return
    services = _blocks(plan, "ECSServiceScaling")[0]["services"]
    for (region, stack), service in zip(_in_both_regions(config, "Service"), services, strict=True):
        cluster = _only(assembly, stack, "AWS::ECS::Cluster")["ClusterName"]
        name = _only(assembly, stack, "AWS::ECS::Service")["ServiceName"]
        assert service == {
            "clusterArn": f"arn:aws:ecs:{region}:{config.account}:cluster/{cluster}",
            "serviceArn": f"arn:aws:ecs:{region}:{config.account}:service/{cluster}/{name}",
        }


def test_clusters_of_both_regions_let_it_scale(assembly: "Assembly", config: Environment) -> None:
    if config.compute.platform != "eks":
        pytest.skip("on ECS the role's policy says so")
    role = f"arn:aws:iam::{config.account}:role/{names.recovery_role(config.name)}"
    for _, stack in _in_both_regions(config, "Service"):
        (entry,) = [
            each["Properties"]
            for each in assembly.resources(stack, "AWS::EKS::AccessEntry").values()
            if each["Properties"]["PrincipalArn"] == role
        ]
        (policy,) = entry["AccessPolicies"]
        assert policy["PolicyArn"].endswith("/AmazonARCRegionSwitchScalingPolicy")
        assert policy["AccessScope"] == {"Type": "namespace", "Namespaces": [config.compute.namespace]}


def test_the_alarms_that_it_watches_are_there_in_both_regions(
    assembly: "Assembly", plan: Plan, config: Environment
) -> None:
    for region, stack in _in_both_regions(config, "Service"):
        alarms = [each["Properties"] for each in assembly.resources(stack, "AWS::CloudWatch::Alarm").values()]
        (name,) = {alarm["AlarmName"] for alarm in alarms if "AlarmName" in alarm}
        arn = f"arn:aws:cloudwatch:{region}:{config.account}:alarm:{name}"
        assert plan["associatedAlarms"][region]["resourceIdentifier"] == arn


@pytest.mark.parametrize("step", [steps.OPEN.name, steps.STAND_BY.name, steps.VERIFY.name])
def test_both_regions_have_one_idea_of_a_full_region_and_of_a_standby(
    assembly: "Assembly", config: Environment, step: str
) -> None:
    standby = step == steps.STAND_BY.name
    wanted = config.standby.minimum_tasks if standby else config.service.minimum_tasks
    for _, stack in _in_both_regions(config, "Service"):
        (function,) = [
            each["Properties"]
            for each in assembly.resources(stack, "AWS::Lambda::Function").values()
            if each["Properties"].get("FunctionName") == names.recovery_function(config.name, step)
        ]
        assert function["Environment"]["Variables"]["MINIMUM"] == str(wanted)


def test_the_access_point_that_it_routes_is_the_one_of_both_buckets(
    assembly: "Assembly", config: Environment
) -> None:
    assert "ObjectAccessPointArn" in assembly.templates["Standby-Data"]["Outputs"]
    asked = [
        each["Properties"] for each in assembly.resources("Service", "Custom::OtherRegionOutputs").values()
    ]
    assert [(each["StackName"], each["Region"], each["Outputs"]) for each in asked] == [
        (f"gatehouse-{config.name}-Standby-Data", config.standby.region, ["ObjectAccessPointArn"])
    ]


def test_it_states_how_long_a_failover_should_take(assembly: "Assembly", config: Environment) -> None:
    outputs = assembly.templates[RECOVERY]["Outputs"]
    expected = {
        name: int(outputs[f"Expected{name}Seconds"]["Value"]) for name in ("Forced", "Lossless", "Reads")
    }
    assert expected["Reads"] < expected["Forced"] < expected["Lossless"]
    assert expected["Forced"] <= 60 * config.standby.recovery_time_minutes
