from typing import Any

import pytest

from gatehouse.user_directory import SignInPage
from tests.constructs.directories import OWN_DOMAIN, PAGE, Resources, directory

POOL = "AWS::Cognito::UserPool"
RISKS = "AWS::Cognito::UserPoolRiskConfigurationAttachment"


@pytest.fixture(scope="module")
def strict() -> Resources:
    return directory()


@pytest.fixture(scope="module")
def lenient() -> Resources:
    return directory(mfa_required=False, threat_protection=False)


@pytest.fixture
def pool(strict: Resources) -> dict[str, Any]:
    (pool,) = strict.properties(POOL)
    return pool


def test_it_is_not_deleted_by_mistake(strict: Resources, pool: dict[str, Any]) -> None:
    assert pool["DeletionProtection"] == "ACTIVE"
    (resource,) = (r for r in strict.by_id.values() if r["Type"] == POOL)
    assert resource["DeletionPolicy"] == resource["UpdateReplacePolicy"] == "Retain"


def test_accounts_come_from_administrators(pool: dict[str, Any]) -> None:
    assert pool["AdminCreateUserConfig"] == {"AllowAdminCreateUserOnly": True}


def test_people_sign_in_with_their_address_in_any_case(pool: dict[str, Any]) -> None:
    assert pool["UsernameAttributes"] == ["email"]
    assert pool["UsernameConfiguration"] == {"CaseSensitive": False}


def test_an_address_counts_once_its_owner_confirmed_it(pool: dict[str, Any]) -> None:
    assert pool["AutoVerifiedAttributes"] == ["email"]
    assert pool["UserAttributeUpdateSettings"] == {"AttributesRequireVerificationBeforeUpdate": ["email"]}
    (way,) = pool["AccountRecoverySetting"]["RecoveryMechanisms"]
    assert way["Name"] == "verified_email"


def test_passwords_are_long_and_last_shortly_when_others_made_them(pool: dict[str, Any]) -> None:
    assert pool["Policies"]["PasswordPolicy"] == {
        "MinimumLength": 14,
        "RequireLowercase": True,
        "RequireNumbers": True,
        "RequireSymbols": True,
        "RequireUppercase": True,
        "PasswordHistorySize": 10,
        "TemporaryPasswordValidityDays": 3,
    }


def test_everybody_has_a_second_factor_and_none_is_a_text_message(pool: dict[str, Any]) -> None:
    assert pool["MfaConfiguration"] == "ON"
    assert pool["EnabledMfas"] == ["SOFTWARE_TOKEN_MFA"]
    assert "SmsConfiguration" not in pool


def test_a_passkey_with_a_finger_or_a_pin_is_two_factors(pool: dict[str, Any]) -> None:
    assert pool["Policies"]["SignInPolicy"] == {"AllowedFirstAuthFactors": ["PASSWORD", "WEB_AUTHN"]}
    assert pool["WebAuthnUserVerification"] == "required"
    assert pool["WebAuthnFactorConfiguration"] == "MULTI_FACTOR_WITH_USER_VERIFICATION"


def test_passkeys_are_bound_to_the_host_of_the_sign_in_page(pool: dict[str, Any]) -> None:
    assert pool["WebAuthnRelyingPartyID"] == PAGE.host
    own = directory(page=SignInPage(prefix=PAGE.prefix, host=PAGE.host, own_domain=OWN_DOMAIN))
    (pool,) = own.properties(POOL)
    assert pool["WebAuthnRelyingPartyID"] == OWN_DOMAIN.name


def test_the_host_may_be_longer_than_a_label_of_dns() -> None:
    """Of an environment with a long name in a region with one."""
    host = "gatehouse-prod-abcdefgh-111111111111.auth.ap-southeast-2.amazoncognito.com"
    assert len(host) > 63
    (pool,) = directory(page=SignInPage(prefix="p", host=host, own_domain=None)).properties(POOL)
    assert pool["WebAuthnRelyingPartyID"] == host


def test_attributes_are_those_that_can_never_change_again(pool: dict[str, Any]) -> None:
    """Cognito adds attributes to a pool with users, and neither changes nor removes one."""
    assert [
        (attribute["Name"], attribute["StringAttributeConstraints"], attribute["Mutable"])
        for attribute in pool["Schema"]
    ] == [
        ("project", {"MaxLength": "256"}, True),
        ("provider_project", {"MaxLength": "256"}, True),
        ("provider_groups", {"MaxLength": "2048"}, True),
    ]


def test_stolen_credentials_and_unlikely_sign_ins_are_refused(
    strict: Resources, pool: dict[str, Any]
) -> None:
    assert pool["UserPoolTier"] == "PLUS"
    assert pool["UserPoolAddOns"] == {"AdvancedSecurityMode": "ENFORCED"}
    (risks,) = strict.properties(RISKS)
    assert risks["ClientId"] == "ALL"
    stolen = risks["CompromisedCredentialsRiskConfiguration"]
    assert stolen["Actions"] == {"EventAction": "BLOCK"}
    assert set(stolen["EventFilter"]) == {"SIGN_IN", "PASSWORD_CHANGE", "SIGN_UP"}
    takeover = risks["AccountTakeoverRiskConfiguration"]["Actions"]
    assert takeover["HighAction"]["EventAction"] == "BLOCK"
    assert takeover["MediumAction"]["EventAction"] == "MFA_REQUIRED"


def test_groups_are_the_roles_of_the_gateway(strict: Resources) -> None:
    groups = strict.properties("AWS::Cognito::UserPoolGroup")
    assert {group["GroupName"] for group in groups} == {"admin", "user"}
    assert all("RoleArn" not in group for group in groups)


def test_an_environment_without_real_users_may_do_with_less(lenient: Resources) -> None:
    (pool,) = lenient.properties(POOL)
    assert pool["MfaConfiguration"] == "OPTIONAL"
    assert pool["UserPoolTier"] == "ESSENTIALS"
    assert "UserPoolAddOns" not in pool
    assert lenient.properties(RISKS) == []


def test_who_has_no_second_factor_is_not_asked_for_it() -> None:
    (risks,) = directory(mfa_required=False).properties(RISKS)
    takeover = risks["AccountTakeoverRiskConfiguration"]["Actions"]
    assert takeover["MediumAction"]["EventAction"] == "MFA_IF_CONFIGURED"
