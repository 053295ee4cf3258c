import json

import aws_cdk as cdk
from aws_cdk import aws_kms as kms

from gatehouse.key_hashing_secret import FIELD, KeyHashingSecret
from gateway.settings import Settings
from tests.constructs.conftest import Properties


def test_it_generates_a_secret_as_long_as_the_gateway_wants(
    stack: cdk.Stack, properties: Properties, key: kms.IKey
) -> None:
    KeyHashingSecret(stack, "KeyHashing", encryption_key=key, removal_policy=cdk.RemovalPolicy.DESTROY)
    (secret,) = properties("AWS::SecretsManager::Secret")
    assert secret["KmsKeyId"] == key.key_arn
    rule = secret["GenerateSecretString"]
    assert json.loads(rule["SecretStringTemplate"]) == {}
    assert rule["GenerateStringKey"] == FIELD
    (least,) = (
        m.min_length for m in Settings.model_fields["key_hashing_secret"].metadata if hasattr(m, "min_length")
    )
    assert rule["PasswordLength"] >= least


def test_no_release_generates_another_value(stack: cdk.Stack, properties: Properties, key: kms.IKey) -> None:
    """CloudFormation does when any of this changes, and then no API key is valid any more."""
    KeyHashingSecret(stack, "KeyHashing", encryption_key=key, removal_policy=cdk.RemovalPolicy.RETAIN)
    (secret,) = properties("AWS::SecretsManager::Secret")
    assert secret["GenerateSecretString"] == {
        "ExcludePunctuation": True,
        "GenerateStringKey": "secret",
        "PasswordLength": 64,
        "SecretStringTemplate": "{}",
    }


def test_it_is_never_replaced_by_itself(stack: cdk.Stack, properties: Properties, key: kms.IKey) -> None:
    KeyHashingSecret(stack, "KeyHashing", encryption_key=key, removal_policy=cdk.RemovalPolicy.RETAIN)
    assert properties("AWS::SecretsManager::RotationSchedule") == []
