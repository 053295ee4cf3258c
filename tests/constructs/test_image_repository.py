"""The images: their tags never move, they are scanned and signed, and copied where the configuration says."""

import json
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk.assertions import Template

from gatehouse.image_repository import EnhancedScanning, ImageReplication, ImageRepository, ImageSigning
from tests.constructs.conftest import ACCOUNT, REGION
from tests.constructs.parts import new_stack, only

KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/imported"
NAME = "gatehouse-test/gateway"
PUBLISHER = f"arn:aws:iam::{ACCOUNT}:role/publisher"


@pytest.fixture(scope="module")
def template() -> Template:
    stack = new_stack()
    publisher = iam.Role.from_role_arn(stack, "Publisher", PUBLISHER)
    ImageRepository(
        stack,
        "Images",
        repository_name=NAME,
        encryption_key=kms.Key.from_key_arn(stack, "Key", KEY),
        publisher=publisher,
        removal_policy=cdk.RemovalPolicy.RETAIN,
    )
    ImageSigning(stack, "Signing", repository_name=NAME, publisher=publisher)
    EnhancedScanning(stack, "Scanning", repository_name=NAME)
    ImageReplication(stack, "Replication", repository_name=NAME, regions=["us-west-2"])
    return Template.from_stack(stack)


@pytest.fixture(scope="module")
def repository(template: Template) -> dict[str, Any]:
    return only(template, "ECR::Repository")


def test_images_do_not_change_and_are_scanned(repository: dict[str, Any]) -> None:
    assert repository["ImageTagMutability"] == "IMMUTABLE"
    assert repository["ImageScanningConfiguration"] == {"ScanOnPush": True}
    assert repository["EncryptionConfiguration"] == {"EncryptionType": "KMS", "KmsKey": KEY}


def test_the_publisher_may_push_and_nobody_else_anything(repository: dict[str, Any]) -> None:
    (statement,) = repository["RepositoryPolicyText"]["Statement"]
    assert statement["Principal"] == {"AWS": PUBLISHER}
    assert statement["Effect"] == "Allow"
    assert {"ecr:PutImage", "ecr:CompleteLayerUpload", "ecr:DescribeRepositories"} <= set(statement["Action"])
    assert not any("Delete" in action or "*" in action for action in statement["Action"])


def test_old_images_go_and_no_signature_before_its_image(repository: dict[str, Any]) -> None:
    (rule,) = json.loads(repository["LifecyclePolicy"]["LifecyclePolicyText"])["rules"]
    assert rule["selection"]["countType"] == "imageCountMoreThan"
    # Signatures have no tags: a rule that counts or expires untagged images would take them too.
    assert rule["selection"]["tagStatus"] == "tagged"
    # A retained repository is never emptied by its removal.
    assert not repository.get("EmptyOnDelete")


def test_pushed_images_are_signed_and_others_of_the_registry_left_alone(template: Template) -> None:
    (rule,) = only(template, "ECR::SigningConfiguration")["Rules"]
    assert rule["RepositoryFilters"] == [{"Filter": NAME, "FilterType": "WILDCARD_MATCH"}]
    (profile_id,) = template.find_resources("AWS::Signer::SigningProfile")
    assert rule["SigningProfileArn"] == {"Fn::GetAtt": [profile_id, "Arn"]}
    assert only(template, "Signer::SigningProfile")["PlatformId"] == "Notation-OCI-SHA384-ECDSA"


def test_the_publisher_may_sign_with_this_profile_before_anything_is_to_be_signed(template: Template) -> None:
    policy = only(template, "IAM::ManagedPolicy")
    assert policy["Roles"] == ["publisher"]
    (statement,) = policy["PolicyDocument"]["Statement"]
    (profile_id,) = template.find_resources("AWS::Signer::SigningProfile")
    assert statement["Action"] == "signer:SignPayload"
    assert statement["Resource"] == {"Fn::GetAtt": [profile_id, "Arn"]}
    (configuration,) = template.find_resources("AWS::ECR::SigningConfiguration").values()
    assert configuration["DependsOn"] == list(template.find_resources("AWS::IAM::ManagedPolicy"))


def test_inspector_watches_this_repository_on_demand(template: Template) -> None:
    scanning = only(template, "ECR::RegistryScanningConfiguration")
    assert scanning["ScanType"] == "ENHANCED"
    (rule,) = scanning["Rules"]
    assert rule["ScanFrequency"] == "CONTINUOUS_SCAN"
    assert rule["RepositoryFilters"] == [{"Filter": NAME, "FilterType": "WILDCARD"}]


def test_images_are_copied_within_the_account(template: Template) -> None:
    (rule,) = only(template, "ECR::ReplicationConfiguration")["ReplicationConfiguration"]["Rules"]
    assert rule["Destinations"] == [{"Region": "us-west-2", "RegistryId": ACCOUNT}]
    assert rule["RepositoryFilters"] == [{"Filter": NAME, "FilterType": "PREFIX_MATCH"}]
