"""What Cognito needs of the key that encrypts a user pool and its copy.

docs.aws.amazon.com/cognito, "Data protection in Amazon Cognito": Set customer managed key policy with
permissions for encryption of exported logs.
"""

from collections.abc import Mapping, Sequence

import aws_cdk as cdk
from aws_cdk import aws_iam as iam

_USE = ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKeyWithoutPlaintext"]
_LOOK = ["kms:DescribeKey"]


def user_pool_statements(stack: cdk.Stack, region: str) -> list[iam.PolicyStatement]:
    """The statements of a key in the region of `stack`, for user pools made in `region` and their copies."""
    # A pool and its copy have one ID, which begins with the pool's region, and ARNs of their own regions.
    pools = stack.format_arn(
        service="cognito-idp", region="*", resource="userpool", resource_name=f"{region}_*"
    )
    of_a_pool = {"StringLike": {"kms:EncryptionContext:aws:cognito-idp:userpool-arn": pools}}
    cognito = iam.ServicePrincipal("cognito-idp.amazonaws.com")
    services = [cognito, iam.ServicePrincipal("identitystore.amazonaws.com")]
    for_a_pool = {
        "StringEquals": {"aws:SourceAccount": stack.account},
        "ArnLike": {"aws:SourceArn": pools},
    }
    # Who administers people in Cognito needs no permission of KMS's beside.
    everybody = [iam.AnyPrincipal()]
    through_cognito = {
        "StringEquals": {
            "kms:CallerAccount": stack.account,
            "kms:ViaService": f"cognito-idp.{stack.region}.amazonaws.com",
        }
    }
    delivery = iam.ServicePrincipal("delivery.logs.amazonaws.com")
    log_groups = stack.format_arn(service="logs", resource="*")
    of_a_log = {"StringLike": {"kms:EncryptionContext:SourceArn": log_groups}}
    return [
        _statement(services, _USE, for_a_pool | of_a_pool),
        _statement(services, _LOOK, for_a_pool),
        _statement(everybody, _USE, through_cognito | of_a_pool),
        _statement(everybody, _LOOK, through_cognito),
        _statement([cognito], ["kms:Encrypt", "kms:GenerateDataKey"], of_a_log),
        _statement([delivery], ["kms:Decrypt", "kms:GenerateDataKey"], of_a_log),
    ]


def _statement(
    principals: Sequence[iam.IPrincipal], actions: Sequence[str], conditions: Mapping[str, object]
) -> iam.PolicyStatement:
    return iam.PolicyStatement(
        principals=list(principals),
        actions=list(actions),
        resources=["*"],  # in a key policy this is the key itself
        conditions=conditions,
    )
