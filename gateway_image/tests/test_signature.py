"""The signer against botocore's, which is right by definition."""

import string
from collections.abc import Mapping
from datetime import UTC, datetime
from unittest.mock import patch

import botocore.session
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials as BotocoreCredentials
from hypothesis import given
from hypothesis import strategies as st

from gateway.aws.credentials import Credentials
from gateway.aws.signature import encode_path_segment, encode_query, sign

MOMENT = 1_795_000_000.0
CREDENTIALS = Credentials(access_key_id="AKIDEXAMPLE", secret_access_key="secret", session_token="token")


def botocore_headers(
    credentials: Credentials,
    *,
    method: str,
    url: str,
    service: str,
    region: str,
    headers: Mapping[str, str],
    body: bytes,
) -> dict[str, str]:
    request = AWSRequest(method=method, url=url, headers=dict(headers), data=body)
    keys = BotocoreCredentials(
        credentials.access_key_id, credentials.secret_access_key, credentials.session_token
    )
    with patch("botocore.auth.get_current_datetime", return_value=datetime.fromtimestamp(MOMENT, UTC)):
        SigV4Auth(keys, service, region).add_auth(request)
    return {name.lower(): value for name, value in request.headers.items()}


def test_a_converse_call_is_signed_as_boto3_signs_it() -> None:
    """The whole way through boto3's client: model ID in the path, service name, region and body."""
    model_id = "arn:aws:bedrock:us-east-1:111111111111:inference-profile/us.amazon.nova-lite-v1:0"
    sent: list[AWSRequest] = []

    def capture(request: AWSRequest, **_: object) -> None:
        sent.append(request)
        raise ConnectionAbortedError

    session = botocore.session.Session()
    session.set_credentials("AKIDEXAMPLE", "secret", "token")
    client = session.create_client(
        "bedrock-runtime", region_name="us-east-1", config=Config(retries={"total_max_attempts": 1})
    )
    client.meta.events.register("before-send", capture)
    at_the_moment = patch(
        "botocore.auth.get_current_datetime", return_value=datetime.fromtimestamp(MOMENT, UTC)
    )
    with at_the_moment, pytest.raises(ConnectionAbortedError):
        client.converse(modelId=model_id, messages=[{"role": "user", "content": [{"text": "hi"}]}])
    theirs = sent[0]
    assert theirs.url is not None
    _, _, host, path = theirs.url.split("/", 3)
    ours = sign(
        CREDENTIALS,
        service="bedrock",
        region="us-east-1",
        method="POST",
        host=host,
        path=f"/model/{encode_path_segment(model_id)}/converse",
        headers={"content-type": "application/json"},
        body=theirs.body,
        timestamp=MOMENT,
    )
    assert f"/model/{encode_path_segment(model_id)}/converse" == f"/{path}"
    assert ours["authorization"] == theirs.headers["Authorization"].decode()


printable = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=40)
names = st.text(string.ascii_lowercase, min_size=3, max_size=8).map("x-".__add__)
values = st.text(string.ascii_letters + string.digits + "=/+-_.", min_size=1, max_size=40)
credentials = st.builds(
    Credentials,
    access_key_id=st.text(string.ascii_uppercase, min_size=4, max_size=20),
    secret_access_key=st.text(string.ascii_letters + "/+", min_size=4, max_size=40),
    session_token=st.none() | st.text(string.ascii_letters, min_size=4, max_size=80),
)


@given(
    keys=credentials,
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE"]),
    service=st.sampled_from(["bedrock", "appconfig", "sts"]),
    region=st.sampled_from(["us-east-1", "eu-central-1", "ap-southeast-2"]),
    segments=st.lists(printable.filter(lambda text: text not in {".", ".."}), min_size=1, max_size=4),
    query=st.dictionaries(printable, printable, max_size=4),
    headers=st.dictionaries(names, values, max_size=4),
    body=st.binary(max_size=200),
)
def test_any_request_is_signed_as_botocore_signs_it(
    keys: Credentials,
    method: str,
    service: str,
    region: str,
    segments: list[str],
    query: dict[str, str],
    headers: dict[str, str],
    body: bytes,
) -> None:
    path = "/" + "/".join(map(encode_path_segment, segments))
    text = encode_query(query)
    ours = sign(
        keys,
        service=service,
        region=region,
        method=method,
        host="service.example.com",
        path=path,
        query=text,
        headers=headers,
        body=body,
        timestamp=MOMENT,
    )
    url = f"https://service.example.com{path}{'?' if text else ''}{text}"
    theirs = botocore_headers(
        keys, method=method, url=url, service=service, region=region, headers=headers, body=body
    )
    assert ours == {name: theirs[name] for name in ours}
    assert ("x-amz-security-token" in ours) == (keys.session_token is not None)


def test_the_key_of_a_new_day_is_not_the_old_one() -> None:
    def signature(timestamp: float) -> str:
        request = {"service": "bedrock", "region": "us-east-1", "method": "GET", "host": "h", "path": "/"}
        return sign(CREDENTIALS, timestamp=timestamp, **request)["authorization"]  # type: ignore[arg-type]

    assert signature(MOMENT) == signature(MOMENT)
    assert signature(MOMENT) != signature(MOMENT + 86_400)
