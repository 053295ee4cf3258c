import json

import aws_cdk as cdk
from aws_cdk import aws_kms as kms

from gatehouse.bootstrap_keys import BootstrapKeys
from gateway.identity.bootstrap_keys import parse_api_keys
from tests.constructs.conftest import Properties


def test_it_generates_an_object_with_one_key_that_the_gateway_takes(
    stack: cdk.Stack, properties: Properties, key: kms.IKey
) -> None:
    BootstrapKeys(stack, "Keys", encryption_key=key, removal_policy=cdk.RemovalPolicy.DESTROY)
    (secret,) = properties("AWS::SecretsManager::Secret")
    assert secret["KmsKeyId"] == key.key_arn
    rule = secret["GenerateSecretString"]
    assert json.loads(rule["SecretStringTemplate"]) == {}
    assert rule["GenerateStringKey"] == "bootstrap"
    assert rule["ExcludePunctuation"] is True
    assert rule["PasswordLength"] == 48
    assert "SecretString" not in secret
    generated = json.dumps({rule["GenerateStringKey"]: "a" * rule["PasswordLength"]})
    assert parse_api_keys(generated)
