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
        "GATEWAY_DRAIN_SECONDS": "111",
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


def test_a_variable_that_does_not_exist_is_no_variable() -> None:
    assert variable("bedrock_endpoint_url") == "AWS_ENDPOINT_URL_BEDROCK_RUNTIME"
    with pytest.raises(KeyError, match="'cache_hots' is no setting"):
        variable("cache_hots")


def test_names_in_the_environment_are_unique() -> None:
    assert len({variable(field) for field in Settings.model_fields}) == len(Settings.model_fields)
