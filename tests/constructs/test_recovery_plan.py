"""The recovery plan: what Region switch does to move an environment, in which order, and as whom."""

from collections.abc import Iterator, Sequence
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk.assertions import Template

from gatehouse.recovery import steps
from gatehouse.recovery.environment import EcsGateways, EksGateways, Recoverable, function_names
from gatehouse.recovery.health_checks import PlanHealthChecks
from gatehouse.recovery.plan import RecoveryPlan
from local.region_switch.plan import Plan, plan_of_resource, workflow_of
from tests.constructs.conftest import ACCOUNT, REGION
from tests.constructs.parts import new_stack, only

PRIMARY, STANDBY = "us-east-1", REGION
REGIONS = (PRIMARY, STANDBY)
ROLE = f"arn:aws:iam::{ACCOUNT}:role/gatehouse-prod-recovery"
APPROVERS = f"arn:aws:iam::{ACCOUNT}:role/approvers"
ECS = EcsGateways(cluster="gateways", service="gateway")
EKS = EksGateways(cluster="gateways", namespace="gatehouse", deployment="gateway", autoscaler="gateway")
SKIPPED_BY_FORCE = {"fence-old-region", "await-replica"}


def _template(gateways: EcsGateways | EksGateways, *, approval_role_arn: str | None = None) -> Template:
    stack = new_stack()
    key_arn = f"arn:aws:kms:{STANDBY}:{ACCOUNT}:key/mrk-1"
    key = kms.Key.from_key_arn(stack, "Key", key_arn)
    recovery = RecoveryPlan(
        stack,
        "Recovery",
        name="gatehouse-prod",
        role_name="gatehouse-prod-recovery",
        recoverable=Recoverable(
            primary_region=PRIMARY,
            standby_region=STANDBY,
            hosted_zone_id="Z1",
            record_name="api.example.com",
            gateways=gateways,
            database="gatehouse-prod",
            functions=function_names("prod"),
            health_alarm="gatehouse-prod-errors",
        ),
        recovery_time=cdk.Duration.minutes(15),
        approval_role_arn=approval_role_arn,
        report_bucket=s3.Bucket.from_bucket_name(stack, "Reports", "objects"),
        data_key=key,
    )
    PlanHealthChecks(
        stack,
        "HealthChecks",
        plan=recovery.plan,
        hosted_zone_id="Z1",
        record_name="api.example.com",
        log_key=key,
        log_retention=cdk.aws_logs.RetentionDays.ONE_YEAR,
        removal_policy=cdk.RemovalPolicy.DESTROY,
    )
    return Template.from_stack(stack)


@pytest.fixture(scope="module")
def ecs() -> Template:
    return _template(ECS)


@pytest.fixture(scope="module")
def eks() -> Template:
    return _template(EKS, approval_role_arn=APPROVERS)


def _plan(template: Template) -> Plan:
    """The plan, which the service's API takes; its role is the one of the template."""
    properties = only(template, "ARCRegionSwitch::Plan")
    return plan_of_resource({**properties, "ExecutionRole": ROLE})


def _steps(template: Template, region: str = STANDBY, action: str = "activate") -> list[Any]:
    workflow = workflow_of(_plan(template), action=action, region=region)
    assert workflow is not None
    return list(_flat(workflow["steps"]))


def _flat(parts: Sequence[Any]) -> Iterator[Any]:
    """Every step; those that run together come after the one that says so."""
    for part in parts:
        yield part
        yield from _flat(part["executionBlockConfiguration"].get("parallelConfig", {}).get("steps", ()))


def _block(template: Template, name: str, action: str = "activate") -> Any:
    (step,) = [step for step in _steps(template, action=action) if step["name"] == name]
    (configuration,) = step["executionBlockConfiguration"].values()
    return step["executionBlockType"], configuration


def _statements(template: Template) -> list[Any]:
    """What the plan's role may do."""
    return [
        statement
        for policy in template.find_resources("AWS::IAM::Policy").values()
        if "Recovery" in policy["Properties"]["PolicyName"]
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
    ]


def _conditions(template: Template, action: str) -> Any:
    (found,) = [each["Condition"] for each in _statements(template) if each["Action"] == action]
    return found


def _allowed(template: Template) -> dict[str, set[Any]]:
    """The resources of each action that the plan's role may do."""
    allowed: dict[str, set[Any]] = {}
    for statement in _statements(template):
        actions, resources = statement["Action"], statement["Resource"]
        for action in actions if isinstance(actions, list) else [actions]:
            allowed.setdefault(action, set()).update(
                resources if isinstance(resources, list) else [resources]
            )
    return allowed


@pytest.mark.parametrize("platform", ["ecs", "eks"])
def test_the_service_takes_the_plan(platform: str, request: pytest.FixtureRequest) -> None:
    plan = _plan(request.getfixturevalue(platform))
    assert plan["recoveryApproach"] == "activePassive"
    assert plan["regions"] == [PRIMARY, STANDBY]
    assert plan["primaryRegion"] == PRIMARY
    assert plan["recoveryTimeObjectiveMinutes"] == 15


def test_nothing_starts_it_by_itself(ecs: Template) -> None:
    """A database that was promoted cannot go back: whether it has to be is for a person to say."""
    assert "triggers" not in _plan(ecs)


@pytest.mark.parametrize("region", REGIONS)
def test_either_region_is_activated_by_the_same_steps_in_this_order(ecs: Template, region: str) -> None:
    assert [step["name"] for step in _steps(ecs, region)] == [
        "move-traffic",
        "open-region",
        "fence-old-region",
        "prepare",
        "scale-gateways",
        "await-replica",
        "route-objects",
        "promote-database",
        "verify",
    ]


def test_the_steps_are_those_of_the_table(eks: Template) -> None:
    """The commands and the drill know them by it."""
    of_the_table = {step.name for step in steps.each_step()} | {steps.PREPARE.name}
    assert {step["name"] for step in _steps(eks)} == of_the_table
    described = {step["name"]: step["description"] for step in _steps(eks)}
    assert all(described[step.name] == step.does for step in steps.each_step())


def test_somebody_approves_where_there_is_a_role_for_it_before_anything_else(eks: Template) -> None:
    assert _steps(eks)[0]["name"] == "approve"
    kind, block = _block(eks, "approve")
    assert kind == "ManualApproval"
    assert block["approvalRole"] == APPROVERS


def test_callers_are_moved_by_the_health_checks_of_the_public_name(ecs: Template) -> None:
    kind, block = _block(ecs, "move-traffic")
    assert kind == "Route53HealthCheck"
    assert (block["hostedZoneId"], block["recordName"]) == ("Z1", "api.example.com")
    # As the records of the two regions identify themselves.
    assert [(each["region"], each["recordSetIdentifier"]) for each in block["recordSets"]] == [
        (region, region) for region in REGIONS
    ]


def test_gateways_on_ecs_are_scaled_to_what_ran_in_the_old_region(ecs: Template) -> None:
    kind, block = _block(ecs, "scale-gateways")
    assert kind == "ECSServiceScaling"
    assert block["services"] == [
        {
            "clusterArn": f"arn:aws:ecs:{region}:{ACCOUNT}:cluster/gateways",
            "serviceArn": f"arn:aws:ecs:{region}:{ACCOUNT}:service/gateways/gateway",
        }
        for region in REGIONS
    ]
    assert block["targetPercent"] == 100
    assert block["ungraceful"] == {"minimumSuccessPercentage": 50}


def test_gateways_on_eks_are_scaled_with_their_autoscaler(eks: Template) -> None:
    kind, block = _block(eks, "scale-gateways")
    assert kind == "EKSResourceScaling"
    assert block["kubernetesResourceType"] == {"apiVersion": "apps/v1", "kind": "Deployment"}
    assert [each["clusterArn"] for each in block["eksClusters"]] == [
        f"arn:aws:eks:{region}:{ACCOUNT}:cluster/gateways" for region in REGIONS
    ]
    resource = {"namespace": "gatehouse", "name": "gateway", "hpaName": "gateway"}
    assert block["scalingResources"] == [{"gateway": dict.fromkeys(REGIONS, resource)}]


@pytest.mark.parametrize(
    ("name", "action", "kind"),
    [
        ("promote-database", "activate", "RdsPromoteReadReplica"),
        ("recreate-replica", "postRecovery", "RdsCreateCrossRegionReplica"),
    ],
)
def test_the_database_of_either_region_may_become_the_one(
    ecs: Template, name: str, action: str, kind: str
) -> None:
    assert _block(ecs, name, action)[0] == kind
    arns = {region: f"arn:aws:rds:{region}:{ACCOUNT}:db:gatehouse-prod" for region in REGIONS}
    assert _block(ecs, name, action)[1]["dbInstanceArnMap"] == arns


@pytest.mark.parametrize(
    ("name", "action", "region"),
    [
        ("fence-old-region", "activate", "deactivatingRegion"),
        ("open-region", "activate", "activatingRegion"),
        ("await-replica", "activate", "activatingRegion"),
        ("route-objects", "activate", "activatingRegion"),
        ("verify", "activate", "activatingRegion"),
        ("fence-old-region", "postRecovery", "inactiveRegion"),
        ("settle-replica", "postRecovery", "inactiveRegion"),
        ("stand-by", "postRecovery", "inactiveRegion"),
    ],
)
def test_what_has_no_block_is_done_by_a_function_in_the_region_that_it_is_about(
    ecs: Template, name: str, action: str, region: str
) -> None:
    kind, block = _block(ecs, name, action)
    assert kind == "CustomActionLambda"
    assert block["regionToRun"] == region
    assert [each["arn"] for each in block["lambdas"]] == [
        f"arn:aws:lambda:{each}:{ACCOUNT}:function:gatehouse-prod-{name}" for each in REGIONS
    ]
    # Without a behaviour it runs in a forced failover, too.
    assert ("ungraceful" in block) is (name in SKIPPED_BY_FORCE)


def test_every_step_has_a_time_after_which_somebody_decides(ecs: Template) -> None:
    limits = {step.name: step.limit_minutes for step in (*steps.each_step(), *steps.each_step(steps.PROTECT))}
    for action in ("activate", "postRecovery"):
        for step in _steps(ecs, action=action):
            (configuration,) = step["executionBlockConfiguration"].values()
            if step["executionBlockType"] != "Parallel":
                assert configuration["timeoutMinutes"] == limits[step["name"]]
                assert configuration["timeoutMinutes"] * 60 > 1.5 * _expected(step["name"])


def _expected(name: str) -> int:
    every = {step.name: step for step in (*steps.each_step(), *steps.each_step(steps.PROTECT))}
    return every[name].expected_seconds


def test_afterwards_the_region_that_was_left_becomes_a_standby(ecs: Template) -> None:
    """Fenced first, for it may have been lost until now: nothing is written there any more."""
    names = [step["name"] for step in _steps(ecs, action="postRecovery")]
    assert names == ["fence-old-region", "recreate-replica", "settle-replica", "stand-by"]


def test_the_expected_time_is_the_sum_of_the_critical_path() -> None:
    waiting = [steps.MOVE_TRAFFIC, steps.OPEN, steps.SCALE, steps.PROMOTE, steps.VERIFY]
    forced = sum(step.expected_seconds for step in waiting)
    assert steps.expected_recovery_seconds(forced=True) == forced
    assert steps.expected_recovery_seconds() == forced + steps.FENCE.expected_seconds
    assert max(step.expected_seconds for step in steps.PREPARE.steps) == steps.SCALE.expected_seconds
    # The objectives: all within a quarter of an hour, and known keys within three minutes.
    assert steps.expected_recovery_seconds() <= 15 * 60
    assert steps.expected_reads_seconds() <= 3 * 60


def test_alarms_of_both_regions_say_when_callers_are_served_again(ecs: Template) -> None:
    assert _plan(ecs)["associatedAlarms"] == {
        region: {
            "alarmType": "applicationHealth",
            "resourceIdentifier": f"arn:aws:cloudwatch:{region}:{ACCOUNT}:alarm:gatehouse-prod-errors",
        }
        for region in REGIONS
    }


def test_reports_are_kept_with_the_objects_encrypted(ecs: Template) -> None:
    (output,) = _plan(ecs)["reportConfiguration"]["reportOutput"]
    assert output["s3Configuration"] == {"bucketPath": "objects/reports/recovery", "bucketOwner": ACCOUNT}
    allowed = _allowed(ecs)
    assert allowed["s3:PutObject"] == {"arn:aws:s3:::objects/reports/recovery/*"}
    assert allowed["kms:GenerateDataKey"] == {f"arn:aws:kms:{STANDBY}:{ACCOUNT}:key/mrk-1"}


def test_its_role_is_region_switchs_and_is_known_by_name(ecs: Template) -> None:
    (role,) = [
        role["Properties"]
        for role in ecs.find_resources("AWS::IAM::Role").values()
        if "RoleName" in role["Properties"]
    ]
    assert role["RoleName"] == "gatehouse-prod-recovery"
    (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Principal"] == {"Service": "arc-region-switch.amazonaws.com"}
    assert _allowed(ecs)["iam:SimulatePrincipalPolicy"] == {ROLE}


def test_it_may_change_what_the_steps_name_and_nothing_else(ecs: Template) -> None:
    allowed = _allowed(ecs)
    assert allowed["lambda:InvokeFunction"] == {
        f"arn:aws:lambda:{region}:{ACCOUNT}:function:{name}"
        for name in function_names("prod").values()
        for region in REGIONS
    }
    assert allowed["ecs:UpdateService"] == {
        f"arn:aws:ecs:{region}:{ACCOUNT}:service/gateways/gateway" for region in REGIONS
    }
    assert allowed["rds:PromoteReadReplica"] == {
        f"arn:aws:rds:{region}:{ACCOUNT}:db:gatehouse-prod" for region in REGIONS
    }
    assert allowed["route53:ListResourceRecordSets"] == {"arn:aws:route53:::hostedzone/Z1"}
    assert allowed["application-autoscaling:RegisterScalableTarget"] == {"*"}
    assert _conditions(ecs, "application-autoscaling:RegisterScalableTarget") == {
        "StringEqualsIfExists": {
            "application-autoscaling:scalable-dimension": "ecs:service:DesiredCount",
            "application-autoscaling:service-namespace": "ecs",
            "aws:RequestedRegion": list(REGIONS),
        }
    }
    writing = {
        action for action in allowed if not action.partition(":")[2].startswith(("Describe", "Get", "List"))
    }
    assert writing == {
        "application-autoscaling:RegisterScalableTarget",
        "ecs:UpdateService",
        "iam:SimulatePrincipalPolicy",
        "kms:CreateGrant",
        "kms:Encrypt",
        "kms:GenerateDataKey",
        "lambda:InvokeFunction",
        "rds:AddTagsToResource",
        "rds:CreateDBInstanceReadReplica",
        "rds:ModifyDBInstance",
        "rds:PromoteReadReplica",
        "s3:PutObject",
    }


def test_on_eks_it_may_find_the_clusters_which_admit_it_themselves(eks: Template) -> None:
    allowed = _allowed(eks)
    assert allowed["eks:DescribeCluster"] == {
        f"arn:aws:eks:{region}:{ACCOUNT}:cluster/gateways" for region in REGIONS
    }
    assert allowed["eks:ListAssociatedAccessPolicies"] == {
        f"arn:aws:eks:{region}:{ACCOUNT}:access-entry/gateways/*" for region in REGIONS
    }
    assert not [action for action in allowed if action.startswith(("ecs:", "application-autoscaling:"))]


def test_the_ids_of_its_health_checks_are_looked_up_when_it_is_there(ecs: Template) -> None:
    (found,) = ecs.find_resources("Custom::PlanHealthChecks").values()
    (plan,) = ecs.find_resources("AWS::ARCRegionSwitch::Plan")
    assert found["Properties"]["Plan"] == {"Fn::GetAtt": [plan, "Arn"]}
    assert found["Properties"]["RecordName"] == "api.example.com"
    assert found["Properties"]["Regions"] == [PRIMARY, STANDBY]
