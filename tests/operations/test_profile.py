from pathlib import Path

import pytest

from operations.errors import WrongUsageError
from operations.profile import Connection, checked_endpoint, connection

CONFIG = """
[default]
endpoint = "https://default.example.com"

[prod]
endpoint = "https://prod.example.com/v1/"
key_command = "aws secretsmanager get-secret-value --secret-id 'prod keys'"
key_name = "admin"
ca_file = "/etc/ssl/company.pem"
"""


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "gatehouse").mkdir()
    (tmp_path / "gatehouse" / "config.toml").write_text(CONFIG)
    return {"XDG_CONFIG_HOME": str(tmp_path)}


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("https://api.example.com", "https://api.example.com"),
        ("https://api.example.com/", "https://api.example.com"),
        ("https://api.example.com:8443/v1", "https://api.example.com:8443"),
        ("https://example.com/gateway/", "https://example.com/gateway"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://[::1]:8080", "http://[::1]:8080"),
        ("http://localhost", "http://localhost"),
    ],
)
def test_an_endpoint_is_an_address(given: str, meant: str) -> None:
    assert checked_endpoint(given) == meant


@pytest.mark.parametrize(
    "given",
    [
        "http://api.example.com",
        "http://127.0.0.1.example.com",
        "http://localhost.example.com",
        "http://0.0.0.0",
        "ftp://api.example.com",
        "api.example.com",
        "https://",
        "https://[::1",
        "https://api.example.com:port",
        "https://api.example.com?key=1",
        "https://user:password@api.example.com",
    ],
)
def test_what_would_lose_the_key_is_no_endpoint(given: str) -> None:
    with pytest.raises(WrongUsageError) as raised:
        checked_endpoint(given)
    assert "password@" not in str(raised.value)


def test_the_default_profile_comes_last(environ: dict[str, str]) -> None:
    assert connection({}, environ).endpoint == "https://default.example.com"
    environ["GATEHOUSE_ENDPOINT"] = "https://environment.example.com"
    assert connection({}, environ).endpoint == "https://environment.example.com"
    assert connection({"endpoint": "https://option.example.com"}, environ).endpoint == (
        "https://option.example.com"
    )


def test_the_key_in_the_environment_is_not_sent_to_the_gateway_of_a_named_profile(
    environ: dict[str, str],
) -> None:
    environ |= {"GATEHOUSE_ENDPOINT": "https://dev.example.com", "GATEHOUSE_KEY": "the-key-of-dev"}
    found = connection({"profile": "prod"}, environ)
    assert found.endpoint == "https://prod.example.com"
    assert found.key_from_environment is None
    assert found.key_command == ("aws", "secretsmanager", "get-secret-value", "--secret-id", "prod keys")
    assert (found.key_name, found.ca_file) == ("admin", Path("/etc/ssl/company.pem"))
    environ["GATEHOUSE_PROFILE"] = "prod"
    assert connection({}, environ) == found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[prod]\nendpiont = 'https://a'", "endpiont is unknown; allowed: endpoint, key_command"),
        ("[prod]\nendpoint = 1", "endpoint has to be text"),
        ("[prod]\nkey_command = [1]", "key_command has to be a list of texts"),
        ('[prod]\nkey_command = "\'"', "key_command cannot be read"),
        ("[prod", "cannot be read"),
        ("[dev]\n[staging]", "there is no profile 'prod'"),
    ],
)
def test_a_wrong_file_says_where(environ: dict[str, str], text: str, said: str) -> None:
    file = Path(environ["XDG_CONFIG_HOME"]) / "gatehouse" / "config.toml"
    file.write_text(text)
    with pytest.raises(WrongUsageError) as raised:
        connection({"profile": "prod"}, environ)
    assert said in str(raised.value)
    assert str(file) in str(raised.value)


def test_without_a_file_the_endpoint_has_to_be_given(tmp_path: Path) -> None:
    with pytest.raises(WrongUsageError, match="--endpoint"):
        connection({}, {"XDG_CONFIG_HOME": str(tmp_path)})
    with pytest.raises(WrongUsageError, match="known: none"):
        connection({"profile": "prod"}, {"XDG_CONFIG_HOME": str(tmp_path)})


@pytest.mark.parametrize("seconds", [0.0, -1.0, 3601.0, float("nan")])
def test_a_timeout_is_a_span_of_time(environ: dict[str, str], seconds: float) -> None:
    with pytest.raises(WrongUsageError, match="--timeout"):
        connection({"timeout": seconds}, environ)


def test_a_connection_does_not_show_its_key() -> None:
    shown = repr(
        Connection(
            endpoint="https://api.example.com",
            timeout_seconds=1,
            ca_file=None,
            key_file=None,
            key_from_environment="the-key",
            key_command=None,
            key_name=None,
        )
    )
    assert "the-key" not in shown
