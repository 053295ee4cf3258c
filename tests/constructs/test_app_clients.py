from typing import Any

import pytest

from gatehouse.federation import OidcProvider
from tests.constructs.directories import Resources, directory

CLIENT = "AWS::Cognito::UserPoolClient"
CORPORATE = OidcProvider(
    name="Corporate",
    email_claim="email",
    name_claim="name",
    issuer="https://login.example.com",
    client_id="gatehouse",
    client_secret_name="gatehouse/sso",
    scopes=("openid",),
)


@pytest.fixture(scope="module")
def resources() -> Resources:
    return directory(machine_names=("nightly-reports",), providers=(CORPORATE,))


@pytest.fixture(scope="module")
def people(resources: Resources) -> dict[str, Any]:
    return resources.named("UserPoolPeople", CLIENT)


@pytest.fixture(scope="module")
def console(resources: Resources) -> dict[str, Any]:
    return resources.named("UserPoolConsole", CLIENT)


@pytest.fixture(scope="module")
def machines(resources: Resources) -> list[dict[str, Any]]:
    return [c for c in resources.properties(CLIENT) if c["AllowedOAuthFlows"] == ["client_credentials"]]


def test_programs_on_people_s_machines_keep_no_secret(people: dict[str, Any]) -> None:
    assert people["GenerateSecret"] is False
    assert people["AllowedOAuthFlows"] == ["code"]


def test_they_take_the_answer_on_the_person_s_own_machine_alone(people: dict[str, Any]) -> None:
    assert people["CallbackURLs"] == [f"http://127.0.0.1:{port}/callback" for port in (8400, 8401, 8402)]
    assert "LogoutURLs" not in people


def test_a_stolen_refresh_token_is_of_use_once(people: dict[str, Any]) -> None:
    assert people["RefreshTokenRotation"] == {"Feature": "ENABLED", "RetryGracePeriodSeconds": 30}
    # Cognito allows only one of the two.
    assert "ALLOW_REFRESH_TOKEN_AUTH" not in people["ExplicitAuthFlows"]


def test_the_console_s_client_answers_to_the_load_balancer_alone(console: dict[str, Any]) -> None:
    assert console["GenerateSecret"] is True
    assert console["AllowedOAuthFlows"] == ["code"]
    assert console["CallbackURLs"] == ["https://api.gatehouse.example.com/oauth2/idpresponse"]
    assert console["LogoutURLs"] == ["https://api.gatehouse.example.com/"]


@pytest.mark.parametrize("name", ["people", "console"])
def test_clients_of_people(name: str, request: pytest.FixtureRequest) -> None:
    client: dict[str, Any] = request.getfixturevalue(name)
    assert set(client["AllowedOAuthScopes"]) == {"openid", "email", "profile"}
    # Neither passwords nor their proofs go through a program: the sign-in page asks for them.
    assert set(client["ExplicitAuthFlows"]) <= {"ALLOW_USER_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"}
    assert "ALLOW_USER_AUTH" in client["ExplicitAuthFlows"]
    assert client["PreventUserExistenceErrors"] == "ENABLED"
    assert client["EnableTokenRevocation"] is True
    assert client["TokenValidityUnits"]["AccessToken"] == client["TokenValidityUnits"]["RefreshToken"]
    assert (client["AccessTokenValidity"], client["IdTokenValidity"]) == (60, 60)
    assert client["RefreshTokenValidity"] == 12 * 60
    assert client["SupportedIdentityProviders"][0] == "COGNITO"
    assert len(client["SupportedIdentityProviders"]) == 2


@pytest.mark.parametrize("name", ["people", "console"])
def test_nobody_chooses_a_project(name: str, request: pytest.FixtureRequest) -> None:
    client: dict[str, Any] = request.getfixturevalue(name)
    assert set(client["WriteAttributes"]) == {
        "email",
        "name",
        "custom:provider_project",
        "custom:provider_groups",
    }


def test_clients_exist_after_the_providers_that_they_offer(resources: Resources) -> None:
    clients = [r for name, r in resources.by_id.items() if r["Type"] == CLIENT and "Machine" not in name]
    assert all(any("ProviderCorporate" in need for need in client["DependsOn"]) for client in clients)


def test_each_client_of_people_has_a_sign_in_page(resources: Resources) -> None:
    styles = resources.properties("AWS::Cognito::ManagedLoginBranding")
    assert {str(style["ClientId"]["Ref"])[:19] for style in styles} == {
        "UsersUserPoolPeople",
        "UsersUserPoolConsol",
    }
    assert all(style["UseCognitoProvidedValues"] is True for style in styles)


def test_a_machine_gets_tokens_for_invoking_and_nothing_else(
    resources: Resources, machines: list[dict[str, Any]]
) -> None:
    assert len(machines) == 2
    for machine in machines:
        (scope,) = machine["AllowedOAuthScopes"]
        assert scope["Fn::Join"][1][1] == "/invoke"
        assert machine["GenerateSecret"] is True
        assert machine["ExplicitAuthFlows"] == ["ALLOW_REFRESH_TOKEN_AUTH"]
        assert machine["AccessTokenValidity"] == 60
        assert machine["EnableTokenRevocation"] is True
    (server,) = resources.properties("AWS::Cognito::UserPoolResourceServer")
    assert server["Identifier"] == "gateway"
    assert [scope["ScopeName"] for scope in server["Scopes"]] == ["invoke"]


def test_a_machine_s_client_stays_when_others_come_and_go(resources: Resources) -> None:
    """Projects name a machine by its client's ID, which goes with the resource."""
    machines = {name for name, r in resources.by_id.items() if r["Type"] == CLIENT and "Machine" in name}
    assert "UsersUserPoolMachine7222E95F" in machines
    assert "UsersUserPoolMachine7222E95F" in directory().by_id
