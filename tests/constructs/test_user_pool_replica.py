"""The user pool's copy in another region, and what serves the sign-in page from there."""

import json
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_cognito as cognito
from aws_cdk import aws_kms as kms
from aws_cdk import aws_logs as logs

from gatehouse.federation import SamlProvider
from gatehouse.user_directory import SignInPage
from gatehouse.user_pool_replica import ActiveReplica
from tests.constructs.conftest import REGION
from tests.constructs.directories import KEY_ARN, OWN_DOMAIN, PAGE, Resources, directory, new_stack

OTHER = "eu-west-1"
POOL_ID = f"{OTHER}_one"
POOL_ARN = f"arn:aws:cognito-idp:{REGION}:111111111111:userpool/{POOL_ID}"
PROVIDER = SamlProvider(
    name="Corporate",
    email_claim="email",
    name_claim="name",
    metadata_url="https://login.example.com/metadata",
    roles={"gateway-admins": "admin"},
)


OWN_PAGE = SignInPage(prefix=PAGE.prefix, host=PAGE.host, own_domain=OWN_DOMAIN)


@pytest.fixture(scope="module")
def copied() -> Resources:
    return directory(page=OWN_PAGE, copied_to=OTHER)


@pytest.fixture(scope="module")
def alone() -> Resources:
    return directory(page=OWN_PAGE)


@pytest.fixture(scope="module")
def active() -> Resources:
    return _active(allowed_domains=["example.com"])


def _active(*, allowed_domains: list[str], threat_protection: bool = True) -> Resources:
    stack = new_stack()
    ActiveReplica(
        stack,
        "Replica",
        user_pool=cognito.UserPool.from_user_pool_id(stack, "UserPool", POOL_ID),
        providers=[PROVIDER],
        allowed_domains=allowed_domains,
        threat_protection=threat_protection,
        log_group_name="/aws/vendedlogs/gatehouse-test/sign-in",
        log_key=kms.Key.from_key_arn(stack, "LogKey", KEY_ARN),
        log_retention=logs.RetentionDays.ONE_YEAR,
        removal_policy=cdk.RemovalPolicy.RETAIN,
    )
    return Resources(stack)


def _only(resources: Resources, resource_type: str) -> tuple[str, dict[str, Any]]:
    (found,) = (item for item in resources.by_id.items() if item[1]["Type"] == resource_type)
    return found


def test_a_pool_without_a_copy_is_as_cognito_makes_it(alone: Resources) -> None:
    _, pool = _only(alone, "AWS::Cognito::UserPool")
    assert not pool["Properties"].keys() & {"KeyConfiguration", "IssuerConfiguration"}
    _, domain = _only(alone, "AWS::Cognito::UserPoolDomain")
    assert "Routing" not in domain["Properties"]
    for resource_type in ("AWS::Cognito::UserPoolReplica", "AWS::Route53::HealthCheck"):
        assert alone.properties(resource_type) == []


def test_a_pool_with_a_copy_is_the_same_pool(alone: Resources, copied: Resources) -> None:
    before_id, before = _only(alone, "AWS::Cognito::UserPool")
    after_id, after = _only(copied, "AWS::Cognito::UserPool")
    assert before_id == after_id
    assert after["Properties"] == before["Properties"] | {
        "KeyConfiguration": {"KeyType": "CUSTOMER_MANAGED_KEY", "KmsKeyArn": KEY_ARN},
        # Tokens of the original kind name the region that made them.
        "IssuerConfiguration": {"Type": "UPDATED"},
    }


def test_the_copy_is_in_the_other_region(copied: Resources) -> None:
    _, replica = _only(copied, "AWS::Cognito::UserPoolReplica")
    assert replica["Properties"]["RegionName"] == OTHER
    pool_id, _ = _only(copied, "AWS::Cognito::UserPool")
    assert replica["Properties"]["UserPoolId"] == {"Ref": pool_id}


def test_the_page_is_served_from_there_while_cognito_is_away(copied: Resources) -> None:
    check_id, check = _only(copied, "AWS::Route53::HealthCheck")
    _, domain = _only(copied, "AWS::Cognito::UserPoolDomain")
    assert domain["Properties"]["Routing"] == {
        "Failover": {
            "PrimaryRoute53HealthCheckId": {"Ref": check_id},
            "SecondaryRegion": OTHER,
        }
    }
    asked = check["Properties"]["HealthCheckConfig"]
    assert asked["Type"] == "HTTPS"
    # Neither the page, which the copy would answer for, nor the gateway, without which people can sign in.
    assert asked["FullyQualifiedDomainName"] == f"cognito-idp.{REGION}.amazonaws.com"
    pool_id, _ = _only(copied, "AWS::Cognito::UserPool")
    path = ["", ["/", {"Ref": pool_id}, "/.well-known/jwks.json"]]
    assert asked["ResourcePath"] == {"Fn::Join": path}
    assert (asked["RequestInterval"], asked["FailureThreshold"]) == (10, 3)


def test_a_page_under_a_name_of_cognito_s_cannot_move() -> None:
    with pytest.raises(ValueError, match=f"{PAGE.host} cannot be served from {OTHER}"):
        directory(copied_to=OTHER)


def test_nothing_is_routed_to_a_region_before_the_copy_is_there(copied: Resources) -> None:
    replica_id, _ = _only(copied, "AWS::Cognito::UserPoolReplica")
    _, domain = _only(copied, "AWS::Cognito::UserPoolDomain")
    assert domain["DependsOn"] == [replica_id]


def test_the_copy_lets_people_in_once_it_can_ask_its_own_functions(active: Resources) -> None:
    _, settings = _only(active, "AWS::Cognito::UserPoolRegionalConfigurationAttachment")
    assert settings["Properties"]["UserPoolId"] == POOL_ID
    assert settings["Properties"]["Status"] == "ACTIVE"
    asked = settings["Properties"]["LambdaConfig"]
    assert asked["PreTokenGenerationConfig"]["LambdaVersion"] == "V2_0"
    assert "PreTokenFunction" in str(asked["PreTokenGenerationConfig"]["LambdaArn"])
    assert "PreSignUpFunction" in str(asked["PreSignUp"])
    permissions = [name for name, r in active.by_id.items() if r["Type"] == "AWS::Lambda::Permission"]
    assert len(permissions) == 2
    assert set(permissions) <= set(settings["DependsOn"])


def test_its_functions_are_asked_for_this_pool_alone(active: Resources) -> None:
    for permission in active.properties("AWS::Lambda::Permission"):
        assert permission["Principal"] == "cognito-idp.amazonaws.com"
        assert permission["SourceArn"] == POOL_ARN


def test_its_functions_decide_as_those_of_the_pool() -> None:
    active = _active(allowed_domains=["example.com", "example.org"])
    pool = directory(allowed_domains=("example.com", "example.org"), providers=(PROVIDER,))
    for name in ("PreToken", "PreSignUp"):
        here, there = (each.named(name, "AWS::Lambda::Function") for each in (active, pool))
        assert here["Environment"] == there["Environment"]
        assert here["Handler"] == there["Handler"]
    roles = active.named("PreToken", "AWS::Lambda::Function")["Environment"]["Variables"]["PROVIDER_ROLES"]
    assert json.loads(roles) == {"Corporate": {"gateway-admins": "admin"}}


def test_it_sends_no_mail(active: Resources) -> None:
    """Whatever a mail belongs to is done where the pool itself is."""
    (settings,) = active.properties("AWS::Cognito::UserPoolRegionalConfigurationAttachment")
    assert "EmailConfiguration" not in settings
    assert "CustomMessage" not in settings["LambdaConfig"]


def test_sign_ins_are_on_record_before_the_first(active: Resources) -> None:
    delivery_id, delivery = _only(active, "AWS::Cognito::LogDeliveryConfiguration")
    assert delivery["Properties"]["UserPoolId"] == POOL_ID
    sources = [config["EventSource"] for config in delivery["Properties"]["LogConfigurations"]]
    assert sources == ["userNotification", "userAuthEvents"]
    _, settings = _only(active, "AWS::Cognito::UserPoolRegionalConfigurationAttachment")
    assert delivery_id in settings["DependsOn"]


def test_where_anybody_may_have_an_account_nothing_is_asked() -> None:
    (settings,) = _active(allowed_domains=[], threat_protection=False).properties(
        "AWS::Cognito::UserPoolRegionalConfigurationAttachment"
    )
    assert settings["LambdaConfig"].keys() == {"PreTokenGenerationConfig"}
