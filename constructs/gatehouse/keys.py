"""KMS keys."""

from collections.abc import Sequence
from dataclasses import dataclass

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from gatehouse.user_pool_key import user_pool_statements

# The longest that KMS offers: until then a deletion can be cancelled and what the key encrypted is readable.
DELETION_WINDOW = cdk.Duration.days(30)
DATA = "data at rest"
LOGS = "log groups"


class EncryptionKeys(Construct):
    """The two customer managed keys of an environment, both multi-Region and rotated every year.

    `data` encrypts what is stored: database, cache, objects, secrets and images. `logs` encrypts log
    groups; CloudWatch Logs may use it for this account's log groups in this region and nothing else. `data`
    encrypts the user pools of `user_pools_of`, too: those that are copied to another region.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        data_key_alias: str,
        removal_policy: cdk.RemovalPolicy,
        log_key_alias: str | None = None,
        user_pools_of: str | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        stack = cdk.Stack.of(self)
        data_key = _key(self, "Data", DATA, removal_policy)
        data_key.add_alias(data_key_alias)
        logs_key = _key(self, "Logs", LOGS, removal_policy)
        if log_key_alias is not None:
            logs_key.add_alias(log_key_alias)
        for statement in _log_key_statements(stack):
            logs_key.add_to_resource_policy(statement)
        for statement in _data_key_statements(stack, user_pools_of):
            data_key.add_to_resource_policy(statement)
        # References by ARN: a grant goes into the grantee's policy. In the key's it would make the keys'
        # stack depend on the grantee's, which depends on the keys'.
        self.data = kms.Key.from_key_arn(self, "DataReference", data_key.key_arn)
        self.logs = kms.Key.from_key_arn(self, "LogsReference", logs_key.key_arn)


class ReplicaKeys(Construct):
    """Copies of another region's keys: of those whose ARNs are `primary_data` and `primary_logs`.

    They decrypt what the originals encrypt, also when that region is lost. They rotate with the originals;
    what a key's policy allows there is allowed here to this region's services.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        primary_data: str,
        primary_logs: str,
        data_key_alias: str,
        log_key_alias: str,
        user_pools_of: str,
        removal_policy: cdk.RemovalPolicy,
    ) -> None:
        super().__init__(scope, construct_id)
        stack = cdk.Stack.of(self)
        statements = _data_key_statements(stack, user_pools_of)
        data_key = _replica(self, "Data", DATA, primary_data, statements, removal_policy=removal_policy)
        logs_key = _replica(
            self, "Logs", LOGS, primary_logs, _log_key_statements(stack), removal_policy=removal_policy
        )
        self.data = kms.Key.from_key_arn(self, "DataReference", data_key.attr_arn)
        self.logs = kms.Key.from_key_arn(self, "LogsReference", logs_key.attr_arn)
        self.data.add_alias(data_key_alias)
        self.logs.add_alias(log_key_alias)


@dataclass(frozen=True, kw_only=True)
class CopyRegion:
    """Another region that gets a copy of data, and the ARN of the key that encrypts the copy."""

    region: str
    key_arn: str


def copied_to(region: str, key: kms.IKey) -> CopyRegion:
    """A region that has a copy of the multi-Region key `key`: all copies have one key ID."""
    arn = cdk.Stack.of(key).format_arn(
        service="kms",
        region=region,
        resource="key",
        resource_name=cdk.Fn.select(1, cdk.Fn.split("/", key.key_arn)),
    )
    return CopyRegion(region=region, key_arn=arn)


class ModelAccountKey(Construct):
    """The one key of a place that serves models, for CloudWatch: its log groups and its alarms' topic."""

    def __init__(self, scope: Construct, construct_id: str, *, removal_policy: cdk.RemovalPolicy) -> None:
        super().__init__(scope, construct_id)
        stack = cdk.Stack.of(self)
        self.key = _key(self, "Key", "logs and alarms of models", removal_policy)
        self.key.add_to_resource_policy(_cloudwatch_logs_statement(stack))
        self.key.add_to_resource_policy(_cloudwatch_alarms_statement(stack))


def _data_key_statements(stack: cdk.Stack, user_pools_of: str | None) -> list[iam.PolicyStatement]:
    of_pools = user_pool_statements(stack, user_pools_of) if user_pools_of is not None else []
    return [_cloudwatch_alarms_statement(stack), _cloudtrail_statement(stack), *of_pools]


def _log_key_statements(stack: cdk.Stack) -> list[iam.PolicyStatement]:
    return [_cloudwatch_logs_statement(stack)]


def _key(scope: Construct, construct_id: str, encrypts: str, removal_policy: cdk.RemovalPolicy) -> kms.Key:
    return kms.Key(
        scope,
        construct_id,
        description=f"Gatehouse: {encrypts}",
        enable_key_rotation=True,
        multi_region=True,
        pending_window=DELETION_WINDOW,
        removal_policy=removal_policy,
    )


def _replica(
    scope: Construct,
    construct_id: str,
    encrypts: str,
    primary_arn: str,
    statements: Sequence[iam.PolicyStatement],
    *,
    removal_policy: cdk.RemovalPolicy,
) -> kms.CfnReplicaKey:
    # The first statement as KMS itself writes it: then policies of the account's own grant the key's use.
    of_the_account = iam.PolicyStatement(
        principals=[iam.AccountRootPrincipal()], actions=["kms:*"], resources=["*"]
    )
    replica = kms.CfnReplicaKey(
        scope,
        construct_id,
        description=f"Gatehouse: {encrypts}",
        primary_key_arn=primary_arn,
        key_policy=iam.PolicyDocument(statements=[of_the_account, *statements]),
        pending_window_in_days=DELETION_WINDOW.to_days(),
    )
    replica.apply_removal_policy(removal_policy)
    return replica


def _cloudwatch_logs_statement(stack: cdk.Stack) -> iam.PolicyStatement:
    log_groups = stack.format_arn(
        service="logs", resource="log-group", resource_name="*", arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME
    )
    return iam.PolicyStatement(
        principals=[iam.ServicePrincipal(f"logs.{stack.region}.amazonaws.com")],
        actions=["kms:Encrypt*", "kms:Decrypt*", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"],
        resources=["*"],  # in a key policy this is the key itself
        conditions={"ArnLike": {"kms:EncryptionContext:aws:logs:arn": log_groups}},
    )


def _cloudwatch_alarms_statement(stack: cdk.Stack) -> iam.PolicyStatement:
    """Without it alarms cannot publish into an encrypted topic, and nothing says so."""
    alarms = stack.format_arn(
        service="cloudwatch",
        resource="alarm",
        resource_name="*",
        arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
    )
    return iam.PolicyStatement(
        principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
        actions=["kms:Decrypt", "kms:GenerateDataKey*"],
        resources=["*"],  # in a key policy this is the key itself
        conditions={
            "StringEquals": {"aws:SourceAccount": stack.account},
            "ArnLike": {"aws:SourceArn": alarms},
        },
    )


def _cloudtrail_statement(stack: cdk.Stack) -> iam.PolicyStatement:
    """It decrypts, too: without that CloudTrail refuses a trail whose bucket has an S3 Bucket Key.

    docs.aws.amazon.com/awscloudtrail: Configure AWS KMS key policies for CloudTrail.
    """
    trails = stack.format_arn(service="cloudtrail", resource="trail", resource_name="*")
    return iam.PolicyStatement(
        principals=[iam.ServicePrincipal("cloudtrail.amazonaws.com")],
        actions=["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey*"],
        resources=["*"],  # in a key policy this is the key itself
        conditions={
            "StringEquals": {"aws:SourceAccount": stack.account},
            "ArnLike": {"aws:SourceArn": trails},
        },
    )
