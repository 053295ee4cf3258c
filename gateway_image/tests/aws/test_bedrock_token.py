"""Short-term Bedrock API keys, against botocore's signer and a service that verifies them."""

import base64
import time
from datetime import UTC, datetime
from unittest.mock import patch
from urllib.parse import parse_qsl, urlsplit

import pytest
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials
from multidict import CIMultiDict

from gateway.aws.bedrock_token import bearer_token
from gateway.aws.credentials import Credentials
from local.bedrock_simulator.bearer_tokens import PREFIX
from local.bedrock_simulator.errors import ServiceError
from local.bedrock_simulator.signature import Caller, SignedRequest
from local.bedrock_simulator.simulator import Simulator

OWN = Credentials(access_key_id="AKIDOWN", secret_access_key="own-secret")
MOMENT = 1_795_000_000.0


def _decoded(token: str) -> str:
    return base64.b64decode(token.removeprefix(PREFIX), validate=True).decode()


def _call(simulator: Simulator, token: str) -> Caller:
    headers = CIMultiDict({"Authorization": f"Bearer {token}"})
    return simulator.authenticator.authenticate(SignedRequest("POST", "http://localhost/", headers, b""))


@pytest.mark.parametrize("session_token", [None, "a+session/token=="])
def test_a_token_is_the_presigned_call_that_botocore_makes(
    session_token: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    moment = time.gmtime(MOMENT)
    monkeypatch.setattr(time, "gmtime", lambda _=None: moment)
    ours = _decoded(
        bearer_token(
            Credentials(access_key_id="AKID", secret_access_key="secret", session_token=session_token),
            "eu-central-1",
        )
    )
    request = AWSRequest(
        method="POST", url="https://bedrock.amazonaws.com/", params={"Action": "CallWithBearerToken"}
    )
    keys = BotocoreCredentials("AKID", "secret", session_token)
    with patch("botocore.auth.get_current_datetime", return_value=datetime.fromtimestamp(MOMENT, UTC)):
        SigV4QueryAuth(keys, "bedrock", "eu-central-1", expires=43_200).add_auth(request)
    theirs = urlsplit(f"{request.url}&Version=1")
    assert ours.startswith("bedrock.amazonaws.com/?Action=CallWithBearerToken&")
    assert dict(parse_qsl(ours.partition("?")[2])) == dict(parse_qsl(theirs.query))


def test_a_service_that_verifies_tokens_accepts_it_for_its_account_and_region(simulator: Simulator) -> None:
    caller = _call(simulator, bearer_token(OWN, "us-west-2"))
    assert (caller.account, caller.region) == ("111111111111", "us-west-2")


def test_a_role_s_session_can_make_tokens(simulator: Simulator) -> None:
    session = simulator.authenticator.sessions.open(
        "arn:aws:iam::222222222222:role/models", "gatehouse", {}, 60
    )
    credentials = Credentials(
        access_key_id=session.access_key,
        secret_access_key=session.secret,
        session_token=session.token,
        expires_at=session.expires_at,
    )
    assert _call(simulator, bearer_token(credentials, "us-east-1")).account == "222222222222"


@pytest.mark.parametrize(
    ("old", "new"),
    [("us-east-1", "us-west-2"), ("AKIDOWN", "AKIDOWM"), ("43200", "43201"), ("Version=1", "Version=2")],
)
def test_a_token_that_was_tampered_with_is_refused(simulator: Simulator, old: str, new: str) -> None:
    text = _decoded(bearer_token(OWN, "us-east-1"))
    assert old in text
    token = PREFIX + base64.b64encode(text.replace(old, new).encode()).decode()
    with pytest.raises(ServiceError):
        _call(simulator, token)


def test_the_wrong_secret_makes_no_token(simulator: Simulator) -> None:
    impostor = Credentials(access_key_id="AKIDOWN", secret_access_key="guessed")
    with pytest.raises(ServiceError, match="API Key is valid"):
        _call(simulator, bearer_token(impostor, "us-east-1"))


def test_a_token_is_made_once_an_hour_and_for_other_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    now = MOMENT - MOMENT % 3600
    monkeypatch.setattr(time, "time", lambda: now)
    first = bearer_token(OWN, "us-east-1")
    now += 3599
    assert bearer_token(OWN, "us-east-1") is first
    other = Credentials(access_key_id="AKIDOWN", secret_access_key="rotated")
    assert bearer_token(other, "us-east-1") != first
    assert bearer_token(OWN, "us-east-2") != first
    now += 1
    assert bearer_token(OWN, "us-east-1") is not first


def test_credentials_that_have_expired_make_no_valid_token(simulator: Simulator) -> None:
    session = simulator.authenticator.sessions.open(
        "arn:aws:iam::222222222222:role/models", "gatehouse", {}, -1
    )
    credentials = Credentials(
        access_key_id=session.access_key, secret_access_key=session.secret, session_token=session.token
    )
    with pytest.raises(ServiceError, match="expired"):
        _call(simulator, bearer_token(credentials, "us-east-1"))
