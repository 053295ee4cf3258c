"""The whole directory: its functions, its log and its sign-in page."""

from typing import Any

import pytest
from aws_cdk import aws_cognito as cognito

from gatehouse.user_directory import SignInPage
from tests.constructs.directories import KEY_ARN, OWN_DOMAIN, PAGE, Resources, directory

FUNCTION = "AWS::Lambda::Function"
POOL = "AWS::Cognito::UserPool"
SENDER = cognito.UserPoolEmail.with_ses(
    from_email="no-reply@mail.example.com",
    from_name="Gatehouse",
    ses_verified_domain="mail.example.com",
    configuration_set_name="set",
)


@pytest.fixture(scope="module")
def least() -> Resources:
    return directory()


@pytest.fixture(scope="module")
def most() -> Resources:
    return directory(allowed_domains=("example.com", "example.org"), self_sign_up=True, mail=SENDER)


def _triggers(resources: Resources) -> dict[str, Any]:
    (pool,) = resources.properties(POOL)
    triggers: dict[str, Any] = pool["LambdaConfig"]
    return triggers


def test_tokens_of_people_are_written_by_a_function_and_machines_need_none(least: Resources) -> None:
    config = _triggers(least)["PreTokenGenerationConfig"]
    # Version 3 would be asked for machines' tokens, too.
    assert config["LambdaVersion"] == "V2_0"
    assert "PreTokenFunction" in str(config["LambdaArn"])


def test_nothing_is_asked_that_has_nothing_to_say(least: Resources) -> None:
    assert _triggers(least).keys() == {"PreTokenGenerationConfig"}


def test_accounts_are_for_the_allowed_domains(most: Resources) -> None:
    assert "PreSignUpFunction" in str(_triggers(most)["PreSignUp"])
    function = most.named("PreSignUp", FUNCTION)
    assert function["Environment"]["Variables"] == {"ALLOWED_DOMAINS": "example.com,example.org"}
    (pool,) = most.properties(POOL)
    assert pool["AdminCreateUserConfig"] == {"AllowAdminCreateUserOnly": False}


def test_mails_say_whose_they_are(most: Resources) -> None:
    assert "CustomMessageFunction" in str(_triggers(most)["CustomMessage"])
    function = most.named("CustomMessage", FUNCTION)
    assert function["Environment"]["Variables"] == {
        "PLATFORM_NAME": "Gatehouse test",
        "PLATFORM_URL": "https://api.gatehouse.example.com",
    }
    (pool,) = most.properties(POOL)
    assert pool["EmailConfiguration"] == {
        "EmailSendingAccount": "DEVELOPER",
        "From": "Gatehouse <no-reply@mail.example.com>",
        "SourceArn": "arn:aws:ses:eu-central-1:111111111111:identity/mail.example.com",
        "ConfigurationSet": "set",
    }


def test_functions_are_small_and_answer_before_cognito_gives_up(most: Resources) -> None:
    functions = most.properties(FUNCTION)
    assert len(functions) == 3
    for function in functions:
        assert function["Timeout"] == 5
        assert function["Architectures"] == ["arm64"]
        assert "VpcConfig" not in function


def test_only_this_pool_calls_them(most: Resources) -> None:
    permissions = most.properties("AWS::Lambda::Permission")
    assert len(permissions) == 3
    for permission in permissions:
        assert permission["Principal"] == "cognito-idp.amazonaws.com"
        assert permission["SourceArn"] == {"Fn::GetAtt": ["UsersUserPool7E610616", "Arn"]}


def test_they_may_write_their_own_logs_and_nothing_else(most: Resources) -> None:
    statements = [
        statement
        for policy in most.properties("AWS::IAM::Policy")
        for statement in policy["PolicyDocument"]["Statement"]
    ]
    assert len(statements) == 3
    for statement in statements:
        assert statement["Action"] == ["logs:CreateLogStream", "logs:PutLogEvents"]
        assert "LogGroup" in statement["Resource"]["Fn::GetAtt"][0]
    assert all("ManagedPolicyArns" not in role for role in most.properties("AWS::IAM::Role"))


def test_their_logs_are_encrypted_and_expire(most: Resources) -> None:
    groups = [g for g in most.properties("AWS::Logs::LogGroup") if "LogGroupName" not in g]
    assert len(groups) == 3
    assert {(group["KmsKeyId"], group["RetentionInDays"]) for group in groups} == {(KEY_ARN, 365)}


def test_sign_ins_and_lost_mails_are_on_record(least: Resources) -> None:
    (delivery,) = least.properties("AWS::Cognito::LogDeliveryConfiguration")
    found = {config["EventSource"]: config for config in delivery["LogConfigurations"]}
    assert {source: config["LogLevel"] for source, config in found.items()} == {
        "userNotification": "ERROR",
        "userAuthEvents": "INFO",
    }
    group = least.named("UsersLogLogGroup", "AWS::Logs::LogGroup")
    assert group["LogGroupName"] == "/aws/vendedlogs/gatehouse-test/sign-in"
    assert group["RetentionInDays"] == 365
    # Cognito delivers to none with a customer's key.
    assert "KmsKeyId" not in group
    for config in found.values():
        arn = config["CloudWatchLogsConfiguration"]["LogGroupArn"]["Fn::Join"][1]
        assert arn[0] == "arn:aws:logs:eu-central-1:111111111111:log-group:"
        assert list(arn[1]) == ["Ref"]


def test_sign_ins_are_recorded_where_cognito_rates_them() -> None:
    (delivery,) = directory(threat_protection=False).properties("AWS::Cognito::LogDeliveryConfiguration")
    assert [config["EventSource"] for config in delivery["LogConfigurations"]] == ["userNotification"]


def test_the_sign_in_page_is_managed_and_at_a_name_of_cognito_s(least: Resources) -> None:
    (domain,) = least.properties("AWS::Cognito::UserPoolDomain")
    assert domain["Domain"] == PAGE.prefix
    assert domain["ManagedLoginVersion"] == 2
    assert "CustomDomainConfig" not in domain


def test_the_sign_in_page_at_a_name_of_one_s_own() -> None:
    own = directory(page=SignInPage(prefix=PAGE.prefix, host=PAGE.host, own_domain=OWN_DOMAIN))
    (domain,) = own.properties("AWS::Cognito::UserPoolDomain")
    assert domain["Domain"] == OWN_DOMAIN.name
    assert domain["CustomDomainConfig"] == {"CertificateArn": OWN_DOMAIN.certificate_arn}
    assert domain["ManagedLoginVersion"] == 2
