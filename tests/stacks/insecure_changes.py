"""What a careless change would do to production, and the invariant that must notice it."""

from collections.abc import Callable
from typing import Any, NamedTuple

from tests.stacks.invariants import encryption, exposure, protection, secrets, statements, workloads
from tests.stacks.invariants.resource import Check

Properties = dict[str, Any]


class Change(NamedTuple):
    """An edit of every resource of a type, the check that must notice it, and words of its report."""

    name: str
    resource_type: str
    edit: Callable[[Properties], object]
    check: Check
    report: str


def _set(**values: Any) -> Callable[[Properties], object]:
    return lambda properties: properties.update(values)


def _unset(name: str) -> Callable[[Properties], object]:
    return lambda properties: properties.pop(name, None)


def _in_containers(**values: Any) -> Callable[[Properties], object]:
    return lambda properties: [container.update(values) for container in properties["ContainerDefinitions"]]


def _allow(**statement: Any) -> Callable[[Properties], object]:
    allowed = {"Effect": "Allow"} | statement
    return lambda properties: properties["PolicyDocument"]["Statement"].append(allowed)


def _load_balancer_attribute(name: str, value: str) -> Callable[[Properties], object]:
    return lambda properties: [
        attribute.update(Value=value)
        for attribute in properties["LoadBalancerAttributes"]
        if attribute["Key"] == name
    ]


OPEN = {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "CidrIp": "0.0.0.0/0", "Description": "Debug"}
FORWARD = [{"Type": "forward", "TargetGroupArn": "arn"}]
TRUST = {"Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "222222222222"}}]}

CHANGES = (
    # Policies
    Change(
        "every action of a service",
        "AWS::IAM::Policy",
        _allow(Action="s3:*", Resource="arn:aws:s3:::bucket"),
        statements.no_wildcard_action,
        "allows s3:*",
    ),
    Change(
        "an action on everything",
        "AWS::IAM::Policy",
        _allow(Action="secretsmanager:GetSecretValue", Resource="*"),
        statements.no_wildcard_resource,
        "allows secretsmanager:GetSecretValue on every resource",
    ),
    Change(
        "a bucket that everyone reads",
        "AWS::S3::BucketPolicy",
        _allow(Action="s3:GetObject", Resource="arn:aws:s3:::bucket/*", Principal="*"),
        statements.no_principal_is_everyone,
        "allows everyone s3:GetObject",
    ),
    Change(
        "a service without a source",
        "AWS::S3::BucketPolicy",
        _allow(Action="s3:PutObject", Resource="arn", Principal={"Service": "cloudtrail.amazonaws.com"}),
        statements.services_say_for_whom,
        "lets cloudtrail.amazonaws.com act for anyone",
    ),
    Change(
        "a role for another account",
        "AWS::IAM::Role",
        _set(AssumeRolePolicyDocument=TRUST),
        statements.other_accounts_need_an_external_id,
        "without an external ID",
    ),
    # The network
    Change(
        "an open security group",
        "AWS::EC2::SecurityGroup",
        _set(SecurityGroupIngress=[OPEN]),
        exposure.only_the_load_balancer_is_open,
        "admits 0.0.0.0/0 to port 5432",
    ),
    Change(
        "a rule that says nothing",
        "AWS::EC2::SecurityGroupIngress",
        _unset("Description"),
        exposure.rules_are_described,
        "has no description",
    ),
    Change(
        "a public bucket",
        "AWS::S3::Bucket",
        _unset("PublicAccessBlockConfiguration"),
        exposure.nothing_else_is_public,
        "has no BlockPublicPolicy",
    ),
    Change(
        "a public database",
        "AWS::RDS::DBInstance",
        _set(PubliclyAccessible=True),
        exposure.nothing_else_is_public,
        "does not say that it is private",
    ),
    Change(
        "a plaintext listener",
        "AWS::ElasticLoadBalancingV2::Listener",
        _set(Protocol="HTTP", DefaultActions=FORWARD),
        exposure.listeners_speak_tls,
        "answers plain HTTP with forward",
    ),
    Change(
        "an old TLS policy",
        "AWS::ElasticLoadBalancingV2::Listener",
        _set(Protocol="HTTPS", SslPolicy="ELBSecurityPolicy-2016-08"),
        exposure.listeners_speak_tls,
        "has the TLS policy ELBSecurityPolicy-2016-08",
    ),
    Change(
        "a TLS policy that goes down to TLS 1.0",
        "AWS::ElasticLoadBalancingV2::Listener",
        _set(Protocol="HTTPS", SslPolicy="ELBSecurityPolicy-TLS13-1-0-2021-06"),
        exposure.listeners_speak_tls,
        "has the TLS policy ELBSecurityPolicy-TLS13-1-0-2021-06",
    ),
    Change(
        "a bucket without TLS",
        "AWS::S3::BucketPolicy",
        lambda properties: properties["PolicyDocument"].update(Statement=[]),
        exposure.storage_refuses_plaintext,
        "refuses requests without TLS",
    ),
    Change(
        "a cache that also takes plaintext",
        "AWS::ElastiCache::ReplicationGroup",
        _set(TransitEncryptionMode="preferred"),
        exposure.stores_speak_tls,
        "takes connections without TLS",
    ),
    # Encryption
    Change(
        "a database with AWS's key",
        "AWS::RDS::DBInstance",
        _unset("KmsKeyId"),
        encryption.stored_data_is_encrypted_with_our_keys,
        "names no key",
    ),
    Change(
        "an unencrypted database",
        "AWS::RDS::DBInstance",
        _set(StorageEncrypted=False),
        encryption.stores_are_encrypted_at_all,
        "has no StorageEncrypted",
    ),
    Change(
        "a secret with somebody's key",
        "AWS::SecretsManager::Secret",
        _set(KmsKeyId="alias/aws/secretsmanager"),
        encryption.no_other_keys_are_named,
        "has KmsKeyId",
    ),
    Change(
        "a key that stays the same",
        "AWS::KMS::Key",
        _set(EnableKeyRotation=False),
        encryption.keys_rotate,
        "does not rotate",
    ),
    # What runs
    Change(
        "a container that can be changed",
        "AWS::ECS::TaskDefinition",
        _in_containers(ReadonlyRootFilesystem=False),
        workloads.containers_change_nothing,
        "can write to its root file system",
    ),
    Change(
        "a container that is root",
        "AWS::ECS::TaskDefinition",
        _in_containers(User="0:0"),
        workloads.containers_change_nothing,
        "runs as root",
    ),
    Change(
        "an image that can change",
        "AWS::ECS::TaskDefinition",
        _in_containers(Image="public.ecr.aws/someone/gateway:latest"),
        workloads.images_are_pinned,
        "which can change",
    ),
    Change(
        "a secret as a variable",
        "AWS::ECS::TaskDefinition",
        _in_containers(Environment=[{"Name": "KEY", "Value": "{{resolve:secretsmanager:key}}"}]),
        workloads.containers_keep_secrets_out_of_variables,
        "has a secret in KEY",
    ),
    Change(
        "a shell in production",
        "AWS::ECS::Service",
        _set(EnableExecuteCommand=True),
        workloads.nobody_enters_containers,
        "lets people enter",
    ),
    Change(
        "logs that Lambda keeps for ever",
        "AWS::Lambda::Function",
        _unset("LoggingConfig"),
        workloads.functions_have_their_log_group,
        "has no log group",
    ),
    Change(
        "a runtime without support",
        "AWS::Lambda::Function",
        _set(Runtime="python3.9"),
        workloads.functions_have_a_supported_runtime,
        "has the runtime python3.9",
    ),
    Change(
        "logs that never end",
        "AWS::Logs::LogGroup",
        _unset("RetentionInDays"),
        workloads.logs_end,
        "keeps logs for ever",
    ),
    Change(
        "an alarm that nobody hears",
        "AWS::CloudWatch::Alarm",
        _unset("AlarmActions"),
        workloads.alarms_tell_somebody,
        "tells nobody",
    ),
    # Secrets
    Change(
        "an AWS key",
        "AWS::ECS::TaskDefinition",
        _in_containers(Environment=[{"Name": "KEY", "Value": "AKIA" + "IOSFODNN7EXAMPLE"}]),
        secrets.no_known_keys,
        "holds an AWS access key",
    ),
    Change(
        "a password",
        "AWS::RDS::DBInstance",
        _set(MasterUserPassword="correct horse"),
        secrets.no_secret_literals,
        "has its MasterUserPassword in the template",
    ),
    Change(
        "a token of no known form",
        "AWS::ECS::TaskDefinition",
        _in_containers(Environment=[{"Name": "TOKEN", "Value": "q7Zr2LxPw9TnVb4KjS8dHf3GcYm6RtUa1Ee0XoIi"}]),
        secrets.no_random_words_in_variables,
        "has something random in TOKEN",
    ),
    # Protection
    Change(
        "a database that can be deleted",
        "AWS::RDS::DBInstance",
        _set(DeletionProtection=False),
        protection.stateful_resources_are_protected,
        "has DeletionProtection False",
    ),
    Change(
        "a bucket that overwrites",
        "AWS::S3::Bucket",
        _unset("VersioningConfiguration"),
        protection.stateful_resources_are_protected,
        "has VersioningConfiguration None",
    ),
    Change(
        "a load balancer that can be deleted",
        "AWS::ElasticLoadBalancingV2::LoadBalancer",
        _load_balancer_attribute("deletion_protection.enabled", "false"),
        protection.load_balancers_are_protected,
        "has deletion_protection.enabled false",
    ),
    Change(
        "a user pool without tags",
        "AWS::Cognito::UserPool",
        _unset("UserPoolTags"),
        protection.stateful_resources_are_tagged,
        "has no tag environment, project",
    ),
)
