from pathlib import Path

import pytest

from gateway.settings import (
    Settings,
    SettingsError,
    load_settings,
    required_fields,
    secret_fields,
    variable,
)

KEY = "0123456789abcdef0123456789abcdef"
ENVIRON = {
    "GATEWAY_ENVIRONMENT": "dev",
    "GATEWAY_REGION": "us-east-1",
    "GATEWAY_MODELS_SOURCE": "file:///etc/models.json",
    "GATEWAY_API_KEYS": f'{{"ci": "{KEY}"}}',
    "GATEWAY_CACHE_HOST": "cache",
    "GATEWAY_CACHE_USERNAME": "gateway",
    "GATEWAY_CACHE_PASSWORD": "password-of-the-cache",
    "GATEWAY_DATABASE_HOST": "database",
    "GATEWAY_DATABASE_NAME": "gateway",
    "GATEWAY_DATABASE_USERNAME": "gateway",
    "GATEWAY_DATABASE_PASSWORD": "password-of-the-database",
    "GATEWAY_KEY_HASHING_SECRET": "hashing-secret-0123456789-0123456789",
}


def test_what_is_required_is_enough() -> None:
    settings = load_settings({**ENVIRON, "PATH": "/bin", "AWS_REGION": "eu-west-1"})
    assert settings.region == "us-east-1"
    assert settings.cache_tls
    assert settings.database_tls
    assert {variable(field) for field in required_fields()} == set(ENVIRON) - {
        "GATEWAY_CACHE_PASSWORD",
        "GATEWAY_DATABASE_PASSWORD",
    }


def test_the_cache_is_signed_in_to_by_password_or_as_a_role() -> None:
    by_iam = {"GATEWAY_CACHE_AUTHENTICATION": "iam", "GATEWAY_CACHE_NAME": "cache-1"}
    without = {name: value for name, value in ENVIRON.items() if name != "GATEWAY_CACHE_PASSWORD"}
    assert load_settings(without | by_iam).cache_name == "cache-1"
    with pytest.raises(SettingsError, match="GATEWAY_CACHE_PASSWORD: missing"):
        load_settings(without)
    with pytest.raises(SettingsError, match="GATEWAY_CACHE_NAME: missing"):
        load_settings(without | {"GATEWAY_CACHE_AUTHENTICATION": "iam"})
    # ElastiCache writes names in lower case, and signatures are made of what was written.
    with pytest.raises(SettingsError, match="GATEWAY_CACHE_NAME: "):
        load_settings(without | by_iam | {"GATEWAY_CACHE_NAME": "Cache-1"})


def test_the_database_is_signed_in_to_by_password_or_as_a_role() -> None:
    without = {name: value for name, value in ENVIRON.items() if name != "GATEWAY_DATABASE_PASSWORD"}
    by_iam = load_settings(without | {"GATEWAY_DATABASE_AUTHENTICATION": "iam"})
    assert by_iam.database_password is None
    with pytest.raises(SettingsError, match=r"GATEWAY_DATABASE_PASSWORD: missing.* to iam"):
        load_settings(without)


def test_every_problem_is_listed_at_once() -> None:
    environ = {
        **ENVIRON,
        "GATEWAY_PORT": "eighty",
        "GATEWAY_CACHE_HOTS": "typo",
        "GATEWAY_API_KEYS": '{"ci": "short-secret"}',
        "GATEWAY_DRAIN_SECONDS": "3601",
    }
    del environ["GATEWAY_REGION"]
    with pytest.raises(SettingsError) as caught:
        load_settings(environ)
    lines = sorted(str(caught.value).splitlines())
    assert [line.partition(":")[0] for line in lines] == [
        "GATEWAY_API_KEYS",
        "GATEWAY_CACHE_HOTS",
        "GATEWAY_DRAIN_SECONDS",
        "GATEWAY_PORT",
        "GATEWAY_REGION",
    ]
    assert "caller 'ci'" in lines[0]
    for value in ("short-secret", "eighty", "password-of-the-cache"):
        assert value not in str(caught.value)


def test_secrets_are_not_shown() -> None:
    shown = repr(load_settings(ENVIRON))
    assert KEY not in shown
    assert "password-of" not in shown
    assert "hashing-secret" not in shown
    assert secret_fields() == {"api_keys", "cache_password", "database_password", "key_hashing_secret"}


@pytest.fixture
def secret_files(tmp_path: Path) -> dict[str, str]:
    """An environment whose secrets are in files, in a folder as Kubernetes' drivers mount it."""
    environ = {**ENVIRON, "GATEWAY_SECRETS_DIRECTORY": str(tmp_path)}
    contents = tmp_path / "..2026_11_21"
    contents.mkdir()
    for field in secret_fields():
        (contents / variable(field)).write_text(environ.pop(variable(field)))
        (tmp_path / variable(field)).symlink_to(contents / variable(field))
    (tmp_path / "arn:aws:secretsmanager:us-east-1:111111111111:secret_whole-AbCdEf").write_text("{}")
    return environ


def test_secrets_may_be_files(secret_files: dict[str, str]) -> None:
    from_files, from_variables = load_settings(secret_files), load_settings(ENVIRON)
    assert from_files.secrets_directory == secret_files["GATEWAY_SECRETS_DIRECTORY"]
    assert from_files.model_copy(update={"secrets_directory": None}) == from_variables


def test_a_secret_in_a_file_is_taken_to_the_byte(secret_files: dict[str, str], tmp_path: Path) -> None:
    secret = " hashing-secret-0123456789-0123456789\r\n"
    (tmp_path / "GATEWAY_KEY_HASHING_SECRET").write_bytes(secret.encode())
    assert load_settings(secret_files).key_hashing_secret.get_secret_value() == secret


def test_a_secret_is_given_one_way(secret_files: dict[str, str]) -> None:
    both = secret_files | {"GATEWAY_CACHE_PASSWORD": "another-password"}
    with pytest.raises(SettingsError, match=r"^GATEWAY_CACHE_PASSWORD: given both.*one of them$") as caught:
        load_settings(both)
    assert "password-of" not in str(caught.value)
    assert "another-password" not in str(caught.value)


def test_what_is_wrong_with_secret_files_is_said(secret_files: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "GATEWAY_API_KEY").write_text("typo")
    (tmp_path / "GATEWAY_PORT").write_text("8081")
    (tmp_path / "GATEWAY_CACHE_PASSWORD").write_bytes(b"latin-\xe9")
    with pytest.raises(SettingsError) as caught:
        load_settings(secret_files)
    assert {line.partition(":")[0] for line in str(caught.value).splitlines()} == {
        "GATEWAY_API_KEY",
        "GATEWAY_PORT",
        "GATEWAY_CACHE_PASSWORD",
    }
    assert "latin" not in str(caught.value)


def test_a_folder_of_secrets_that_is_not_there_is_said(tmp_path: Path) -> None:
    environ = {**ENVIRON, "GATEWAY_SECRETS_DIRECTORY": str(tmp_path / "missing")}
    with pytest.raises(SettingsError, match=r"^GATEWAY_SECRETS_DIRECTORY: No such file or directory; "):
        load_settings(environ)


def test_a_variable_that_does_not_exist_is_no_variable() -> None:
    assert variable("bedrock_endpoint_url") == "AWS_ENDPOINT_URL_BEDROCK_RUNTIME"
    with pytest.raises(KeyError, match="'cache_hots' is no setting"):
        variable("cache_hots")


def test_names_in_the_environment_are_unique() -> None:
    assert len({variable(field) for field in Settings.model_fields}) == len(Settings.model_fields)
