"""KMS keys."""

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

# The longest that KMS offers: until then a deletion can be cancelled and what the key encrypted is readable.
DELETION_WINDOW = cdk.Duration.days(30)


class EncryptionKeys(Construct):
    """The two customer managed keys of an environment, both multi-Region and rotated every year.

    `data` encrypts what is stored: database, cache, objects, secrets and images. `logs` encrypts log
    groups; CloudWatch Logs may use it for this account's log groups in this region and nothing else.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        data_key_alias: str,
        removal_policy: cdk.RemovalPolicy,
    ) -> None:
        super().__init__(scope, construct_id)
        data_key = _key(self, "Data", "data at rest", removal_policy)
        data_key.add_alias(data_key_alias)
        logs_key = _key(self, "Logs", "log groups", removal_policy)
        logs_key.add_to_resource_policy(_cloudwatch_logs_statement(cdk.Stack.of(self)))
        data_key.add_to_resource_policy(_cloudwatch_alarms_statement(cdk.Stack.of(self)))
        data_key.add_to_resource_policy(_cloudtrail_statement(cdk.Stack.of(self)))
        # References by ARN: a grant goes into the grantee's policy. In the key's it would make the keys'
        # stack depend on the grantee's, which depends on the keys'.
        self.data = kms.Key.from_key_arn(self, "DataReference", data_key.key_arn)
        self.logs = kms.Key.from_key_arn(self, "LogsReference", logs_key.key_arn)


class ModelAccountKey(Construct):
    """The one key of a place that serves models, for CloudWatch: its log groups and its alarms' topic."""

    def __init__(self, scope: Construct, construct_id: str, *, removal_policy: cdk.RemovalPolicy) -> None:
        super().__init__(scope, construct_id)
        stack = cdk.Stack.of(self)
        self.key = _key(self, "Key", "logs and alarms of models", removal_policy)
        self.key.add_to_resource_policy(_cloudwatch_logs_statement(stack))
        self.key.add_to_resource_policy(_cloudwatch_alarms_statement(stack))


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
