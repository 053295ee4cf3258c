"""Tokens that an emulated Cognito issues, to a person in groups and to a machine with client credentials."""

import base64
import json
import os
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator
from typing import Any, NamedTuple

import boto3
import pytest
from botocore.config import Config

from gateway.errors import GatewayError
from gateway.http_client import HttpClient
from gateway.identity.claims import read_bearer
from gateway.identity.issuers import Issuer
from gateway.identity.tokens import Tokens
from gateway.structured_log import StructuredLog
from local.throwaway_servers import free_port, wait_until_ready

pytestmark = pytest.mark.anyio

_PASSWORD = "Passw0rd-of-ada!"
_RUN = "import ministack.app; ministack.app.main()"


class Pool(NamedTuple):
    """A user pool with two clients, and what it has issued to them."""

    issuer: str
    keys_url: str
    app: str
    machine: str
    access_token: str
    id_token: str
    machine_token: str


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder, port = tmp_path_factory.mktemp("cognito"), free_port()
    variables = {
        "GATEWAY_PORT": str(port),
        "BIND_HOST": "127.0.0.1",
        "STATE_DIR": str(folder / "state"),
        "TMPDIR": str(folder),
        "SERVICES": "cognito-idp,sts",
        # Or it takes fixed ports.
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "DOCKER_HOST": f"unix://{folder}/no-docker",
    }
    log = folder / "emulator.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", _RUN],
            env={**os.environ, **variables},
            stdout=output,
            stderr=output,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        wait_until_ready(process, lambda: _answers(url), log)
        yield url
    finally:
        process.kill()
        process.wait()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/_ministack/health", timeout=5) as response:
            return bool(response.status == 200)
    except OSError:
        return False


@pytest.fixture(scope="module")
def pool(emulator: str) -> Pool:
    cognito = boto3.client(
        "cognito-idp",
        region_name="us-east-1",
        endpoint_url=emulator,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(proxies={}),
    )
    pool_id = cognito.create_user_pool(PoolName="people")["UserPool"]["Id"]
    app = cognito.create_user_pool_client(
        UserPoolId=pool_id, ClientName="app", ExplicitAuthFlows=["ALLOW_ADMIN_USER_PASSWORD_AUTH"]
    )["UserPoolClient"]["ClientId"]
    cognito.create_resource_server(
        UserPoolId=pool_id,
        Identifier="gateway",
        Name="gateway",
        Scopes=[{"ScopeName": "invoke", "ScopeDescription": "call models"}],
    )
    machine = cognito.create_user_pool_client(
        UserPoolId=pool_id,
        ClientName="machine",
        GenerateSecret=True,
        AllowedOAuthFlows=["client_credentials"],
        AllowedOAuthScopes=["gateway/invoke"],
        AllowedOAuthFlowsUserPoolClient=True,
    )["UserPoolClient"]
    cognito.admin_create_user(UserPoolId=pool_id, Username="ada")
    cognito.admin_set_user_password(UserPoolId=pool_id, Username="ada", Password=_PASSWORD, Permanent=True)
    cognito.create_group(UserPoolId=pool_id, GroupName="analysts")
    cognito.admin_add_user_to_group(UserPoolId=pool_id, Username="ada", GroupName="analysts")
    signed_in = cognito.admin_initiate_auth(
        UserPoolId=pool_id,
        ClientId=app,
        AuthFlow="ADMIN_USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": "ada", "PASSWORD": _PASSWORD},
    )["AuthenticationResult"]
    return Pool(
        f"https://cognito-idp.us-east-1.amazonaws.com/{pool_id}",
        f"{emulator}/{pool_id}/.well-known/jwks.json",
        app,
        machine["ClientId"],
        signed_in["AccessToken"],
        signed_in["IdToken"],
        _client_credentials(emulator, machine),
    )


def _client_credentials(emulator: str, client: dict[str, Any]) -> str:
    credentials = base64.b64encode(f"{client['ClientId']}:{client['ClientSecret']}".encode()).decode()
    form = urllib.parse.urlencode({"grant_type": "client_credentials", "client_id": client["ClientId"]})
    request = urllib.request.Request(
        f"{emulator}/oauth2/token", data=form.encode(), headers={"authorization": f"Basic {credentials}"}
    )
    with urllib.request.urlopen(request) as response:
        token: str = json.load(response)["access_token"]
    return token


def _issuer(pool: Pool, **values: Any) -> Issuer:
    return Issuer.model_validate(
        {
            "issuer": pool.issuer,
            "jwks_url": pool.keys_url,
            "client_ids": [pool.app, pool.machine],
            "token_use": "access",
            "required_scope": "gateway/invoke",
            **values,
        }
    )


async def test_access_tokens_of_a_person_and_of_a_machine(
    pool: Pool, http: HttpClient, log: StructuredLog
) -> None:
    tokens = Tokens([_issuer(pool)], http, log)
    verified = await tokens.verify(pool.access_token)
    person = read_bearer(verified.claims, verified.issuer)
    assert (person.kind, person.name, person.roles) == ("user", "ada", ("analysts",))
    verified = await tokens.verify(pool.machine_token)
    machine = read_bearer(verified.claims, verified.issuer)
    assert (machine.kind, machine.id, machine.roles) == ("client", pool.machine, ())


async def test_id_tokens_are_signed_with_another_key_and_are_another_thing(
    pool: Pool, http: HttpClient, log: StructuredLog
) -> None:
    with pytest.raises(GatewayError) as caught:
        await Tokens([_issuer(pool)], http, log).verify(pool.id_token)
    assert caught.value.detail == "the token is for another use"
    taking_them = _issuer(
        pool, token_use="id", audiences=[pool.app], client_ids=[], name_claim="cognito:username"
    )
    tokens = Tokens([taking_them], http, log)
    verified = await tokens.verify(pool.id_token)
    assert read_bearer(verified.claims, verified.issuer).name == "ada"
    with pytest.raises(GatewayError):
        await tokens.verify(pool.access_token)
