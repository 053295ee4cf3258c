import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms

from gatehouse.cache import Cache
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
