from typing import Any

import pytest

from gatehouse.federation import OidcProvider, SamlProvider
from tests.constructs.directories import Resources, directory

PROVIDER = "AWS::Cognito::UserPoolIdentityProvider"
OIDC = OidcProvider(
    name="Corporate",
    email_claim="email",
    name_claim="name",
    project_claim="cost_center",
    groups_claim="groups",
    roles={"gateway-admins": "admin", "search": "developers"},
    issuer="https://login.example.com",
    client_id="gatehouse",
    client_secret_name="gatehouse/sso",
    scopes=("openid", "email"),
)
SAML = SamlProvider(
    name="Partner",
    email_claim="urn:mail",
    name_claim="urn:name",
    metadata_url="https://partner.example.com/metadata",
)
FILE = SamlProvider(name="File", email_claim="mail", name_claim="cn", metadata_xml="<EntityDescriptor/>")


@pytest.fixture(scope="module")
def resources() -> Resources:
    return directory(providers=(OIDC, SAML, FILE))


@pytest.fixture(scope="module")
def providers(resources: Resources) -> dict[str, dict[str, Any]]:
    return {provider["ProviderName"]: provider for provider in resources.properties(PROVIDER)}


def test_openid_connect(providers: dict[str, dict[str, Any]]) -> None:
    provider = providers["Corporate"]
    assert provider["ProviderType"] == "OIDC"
    details = provider["ProviderDetails"]
    assert details["oidc_issuer"] == "https://login.example.com"
    assert details["client_id"] == "gatehouse"
    assert details["authorize_scopes"] == "openid email"


def test_the_template_holds_no_secret_but_where_it_is(providers: dict[str, dict[str, Any]]) -> None:
    secret = providers["Corporate"]["ProviderDetails"]["client_secret"]
    assert secret == "{{resolve:secretsmanager:gatehouse/sso:SecretString:::}}"


def test_what_a_provider_says_stays_apart_from_what_administrators_say(
    providers: dict[str, dict[str, Any]],
) -> None:
    assert providers["Corporate"]["AttributeMapping"] == {
        "email": "email",
        "name": "name",
        "custom:provider_project": "cost_center",
        "custom:provider_groups": "groups",
    }
    assert providers["Partner"]["AttributeMapping"] == {"email": "urn:mail", "name": "urn:name"}


def test_saml_by_url_and_by_file(providers: dict[str, dict[str, Any]]) -> None:
    assert {providers[name]["ProviderType"] for name in ("Partner", "File")} == {"SAML"}
    assert providers["Partner"]["ProviderDetails"]["MetadataURL"] == "https://partner.example.com/metadata"
    assert providers["File"]["ProviderDetails"]["MetadataFile"] == "<EntityDescriptor/>"


def test_saml_requests_are_signed_and_answers_are_answers(providers: dict[str, dict[str, Any]]) -> None:
    details = providers["Partner"]["ProviderDetails"]
    assert details["RequestSigningAlgorithm"] == "rsa-sha256"
    assert details["IDPInit"] is False


def test_the_function_knows_the_roles_of_each_provider_s_groups(resources: Resources) -> None:
    function = resources.named("PreTokenFunction", "AWS::Lambda::Function")
    assert function["Environment"]["Variables"] == {
        "PROVIDER_ROLES": '{"Corporate": {"gateway-admins": "admin", "search": "developers"}, '
        '"Partner": {}, "File": {}}'
    }
