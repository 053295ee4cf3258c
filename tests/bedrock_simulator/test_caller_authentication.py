"""Signature Version 4 and bearer tokens, accepted and refused as the real service does."""

import datetime
import hashlib
import hmac
import http.client
import json
from typing import Any
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError
from multidict import CIMultiDict

from local.bedrock_simulator.errors import ServiceError
from local.bedrock_simulator.process import RunningSimulator
from local.bedrock_simulator.scenario import Account, load_scenario
from local.bedrock_simulator.signature import Authenticator, SignedRequest

NOVA = "us.amazon.nova-lite-v1:0"
_MESSAGES = [{"role": "user", "content": [{"text": "Hello"}]}]


def refusal_of(client: Any) -> tuple[int, str, str]:
    with pytest.raises(ClientError) as raised:
        client.converse(modelId=NOVA, messages=_MESSAGES)
    response = raised.value.response
    return (
        response["ResponseMetadata"]["HTTPStatusCode"],
        response["Error"]["Code"],
        response["Error"]["Message"],
    )


def test_known_keys_act_in_their_account_and_region(simulator: RunningSimulator, client_for: Any) -> None:
    client_for("us-west-2").converse(modelId=NOVA, messages=_MESSAGES)
    client_for("us-east-2", "AKIDTWO", "secret-two").converse(modelId=NOVA, messages=_MESSAGES)

    calls = simulator.control.calls()
    assert [(call.account, call.region, call.access_key) for call in calls] == [
        ("111111111111", "us-west-2", "AKIDONE"),
        ("222222222222", "us-east-2", "AKIDTWO"),
    ]


def test_signatures_hold_for_any_model_id(client: Any) -> None:
    arn = f"arn:aws:bedrock:us-east-1:111111111111:inference-profile/{NOVA}"

    assert client.converse(modelId=arn, messages=_MESSAGES)["stopReason"] == "end_turn"


def test_any_header_may_be_signed() -> None:
    date = amz_date()
    headers = {"Host": "localhost", "User-Agent": "own signer", "X-Amz-Date": date}
    names = sorted(name.lower() for name in headers)
    canonical_headers = "".join(
        f"{name.lower()}:{headers[name]}\n" for name in sorted(headers, key=str.lower)
    )
    canonical = f"POST\n/\n\n{canonical_headers}\n{';'.join(names)}\n{hashlib.sha256(b'{}').hexdigest()}"
    scope = f"{date[:8]}/us-east-1/bedrock/aws4_request"
    to_sign = f"AWS4-HMAC-SHA256\n{date}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = b"AWS4secret-one"
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.new(key, to_sign.encode(), "sha256").hexdigest()
    headers["Authorization"] = (
        f"AWS4-HMAC-SHA256 Credential=AKIDONE/{scope}, SignedHeaders={';'.join(names)}, Signature={signature}"
    )

    caller = known_caller_authenticator().authenticate(
        SignedRequest("POST", "http://localhost/", CIMultiDict(headers), b"{}")
    )

    assert (caller.account, caller.region) == ("111111111111", "us-east-1")


def known_caller_authenticator() -> Authenticator:
    account = Account(id="111111111111", access_keys={"AKIDONE": "secret-one"})
    return Authenticator(load_scenario().model_copy(update={"accounts": (account,)}))


def test_a_wrong_secret_is_refused(client_for: Any) -> None:
    status, code, message = refusal_of(client_for(secret="wrong"))

    assert (status, code) == (403, "InvalidSignatureException")
    assert message.startswith(
        "The request signature we calculated does not match the signature you provided."
    )


def test_unknown_keys_call_from_the_default_account(simulator: RunningSimulator, client_for: Any) -> None:
    client_for(key="AKIDSTRANGER", secret="anything").converse(modelId=NOVA, messages=_MESSAGES)

    assert simulator.control.calls()[0].account == "000000000000"


def test_unknown_keys_are_refused_where_the_scenario_says_so() -> None:
    scenario = load_scenario().model_copy(update={"unknown_access_keys": "reject"})
    headers = {"Authorization": credential("AKIDSTRANGER"), "X-Amz-Date": amz_date()}

    with pytest.raises(ServiceError, match="The security token included in the request is invalid") as raised:
        Authenticator(scenario).authenticate(SignedRequest("POST", "http://localhost/", headers, b""))
    assert (raised.value.name, raised.value.status) == ("UnrecognizedClientException", 403)


def test_bearer_tokens_are_bound_to_a_region(
    simulator: RunningSimulator, client_for: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "bedrock-api-key-one")
    client_for(key=None, secret=None).converse(modelId=NOVA, messages=_MESSAGES)

    (call,) = simulator.control.calls()
    assert (call.account, call.region, call.access_key) == ("111111111111", "us-west-2", None)


def test_an_unknown_bearer_token_is_refused(client_for: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_BEARER_TOKEN_BEDROCK", "bedrock-api-key-unknown")

    status, _, message = refusal_of(client_for(key=None, secret=None))

    assert (status, message) == (403, "Authentication failed: Please make sure your API Key is valid.")


@pytest.mark.parametrize(
    ("headers", "error"),
    [
        ({}, "MissingAuthenticationTokenException"),
        ({"Authorization": "AWS4-HMAC-SHA256 nonsense"}, "IncompleteSignatureException"),
    ],
)
def test_requests_without_a_signature_are_refused(
    simulator: RunningSimulator, headers: dict[str, str], error: str
) -> None:
    connection = http.client.HTTPConnection(urlsplit(simulator.url).netloc)
    connection.request("POST", f"/model/{NOVA}/converse", b"{}", headers)
    response = connection.getresponse()
    body = json.loads(response.read())
    connection.close()

    assert response.status == 403
    assert response.headers["x-amzn-ErrorType"].partition(":")[0] == error
    assert body["message"]


def amz_date(age: datetime.timedelta = datetime.timedelta(0)) -> str:
    return (datetime.datetime.now(datetime.UTC) - age).strftime("%Y%m%dT%H%M%SZ")


def credential(key: str, service: str = "bedrock") -> str:
    return (
        f"AWS4-HMAC-SHA256 Credential={key}/20260101/us-east-1/{service}/aws4_request, "
        f"SignedHeaders=host;x-amz-date, Signature={'0' * 64}"
    )


@pytest.mark.parametrize(
    ("authorization", "date", "message"),
    [
        (
            credential("AKIDONE", service="s3"),
            amz_date(),
            "Credential should be scoped to correct service: 'bedrock'",
        ),
        (credential("AKIDONE"), amz_date(datetime.timedelta(minutes=6)), "Signature expired: "),
        (credential("AKIDONE"), "yesterday", "Date must be in ISO-8601 'basic format'. Got 'yesterday'."),
    ],
)
def test_signatures_of_another_scope_or_time_are_refused(authorization: str, date: str, message: str) -> None:
    headers = {"Authorization": authorization, "X-Amz-Date": date, "Host": "localhost"}

    with pytest.raises(ServiceError) as raised:
        known_caller_authenticator().authenticate(SignedRequest("POST", "http://localhost/", headers, b""))
    assert raised.value.message.startswith(message)
    assert raised.value.status == 403
