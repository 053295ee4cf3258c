import json
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms

from gatehouse.image_repository import ImageRepository
from tests.constructs.conftest import Properties

PUBLISHER = "arn:aws:iam::111111111111:role/publisher"


@pytest.fixture
def repository(stack: cdk.Stack, key: kms.IKey, properties: Properties) -> dict[str, Any]:
    ImageRepository(
        stack,
        "Images",
        repository_name="gatehouse-test/gateway",
        encryption_key=key,
        publisher=iam.ArnPrincipal(PUBLISHER),
        removal_policy=cdk.RemovalPolicy.RETAIN,
    )
    (repository,) = properties("AWS::ECR::Repository")
    return repository


def test_images_do_not_change_and_are_scanned(repository: dict[str, Any], key: kms.IKey) -> None:
    assert repository["ImageTagMutability"] == "IMMUTABLE"
    assert repository["ImageScanningConfiguration"] == {"ScanOnPush": True}
    assert repository["EncryptionConfiguration"] == {"EncryptionType": "KMS", "KmsKey": key.key_arn}


def test_the_publisher_may_push_and_nobody_else_anything(repository: dict[str, Any]) -> None:
    (statement,) = repository["RepositoryPolicyText"]["Statement"]
    assert statement["Principal"] == {"AWS": PUBLISHER}
    assert statement["Effect"] == "Allow"
    assert {"ecr:PutImage", "ecr:CompleteLayerUpload", "ecr:DescribeRepositories"} <= set(statement["Action"])
    assert not any("Delete" in action or "*" in action for action in statement["Action"])


def test_old_images_go(repository: dict[str, Any]) -> None:
    rules = json.loads(repository["LifecyclePolicy"]["LifecyclePolicyText"])["rules"]
    assert [rule["selection"]["tagStatus"] for rule in rules] == ["untagged", "any"]
    # A retained repository is never emptied by its removal.
    assert not repository.get("EmptyOnDelete")
