"""Container secrets are resolved as ECS does, and only from what is deployed."""

from typing import Any

import pytest

from local.errors import LocalError
from local.task import secret_value

ARN = "arn:aws:secretsmanager:us-east-1:111111111111:secret:database-AbCdEf"


class SecretsManager:
    """Answers one secret and remembers how it was asked."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.asked: dict[str, Any] = {}

    def get_secret_value(self, **asked: Any) -> dict[str, str]:
        self.asked = asked
        return {"SecretString": self.text}


def test_a_whole_secret() -> None:
    assert secret_value(SecretsManager("text"), ARN) == "text"


@pytest.mark.parametrize(
    ("selector", "asked"),
    [
        ("port::", {}),
        ("port:AWSPREVIOUS:", {"VersionStage": "AWSPREVIOUS"}),
        ("port::11111111-2222", {"VersionId": "11111111-2222"}),
    ],
)
def test_a_key_of_a_secret(selector: str, asked: dict[str, str]) -> None:
    secrets = SecretsManager('{"username": "gateway", "port": 5432}')
    assert secret_value(secrets, f"{ARN}:{selector}") == "5432"
    assert secrets.asked == {"SecretId": ARN, **asked}


def test_a_whole_secret_of_a_version() -> None:
    secrets = SecretsManager("text")
    assert secret_value(secrets, f"{ARN}::AWSPREVIOUS:") == "text"
    assert secrets.asked == {"SecretId": ARN, "VersionStage": "AWSPREVIOUS"}


def test_a_missing_key_names_the_secret_and_its_keys_but_no_value() -> None:
    with pytest.raises(LocalError) as caught:
        secret_value(SecretsManager('{"username": "hunter2"}'), f"{ARN}:password::")
    assert str(caught.value).startswith("secret database-AbCdEf has no key 'password'")
    assert "username" in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "value_from", ["database", f"{ARN}:password", "arn:aws:ssm:us-east-1:111111111111:parameter/key"]
)
def test_what_ecs_would_refuse_is_refused(value_from: str) -> None:
    with pytest.raises(LocalError, match="ECS takes arn:aws:secretsmanager"):
        secret_value(SecretsManager("text"), value_from)
