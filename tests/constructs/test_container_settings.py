import aws_cdk as cdk
import pytest
from aws_cdk import aws_secretsmanager as secretsmanager

from gatehouse.container_settings import SecretValue, container_settings, default_port
from gateway.settings import required_fields, secret_fields, variable


@pytest.fixture
def secret(stack: cdk.Stack) -> SecretValue:
    return SecretValue(secretsmanager.Secret(stack, "Secret"))


@pytest.fixture
def values() -> dict[str, str]:
    return dict.fromkeys(required_fields() - secret_fields(), "value")


@pytest.fixture
def secrets(secret: SecretValue) -> dict[str, SecretValue]:
    return dict.fromkeys(secret_fields(), secret)


def test_fields_become_the_variables_that_the_gateway_reads(
    values: dict[str, str], secrets: dict[str, SecretValue]
) -> None:
    settings = container_settings(values=values, secrets=secrets)
    assert settings.environment == {variable(field): "value" for field in values}
    assert settings.secrets.keys() == {variable(field) for field in secrets}


@pytest.mark.parametrize("field", sorted(required_fields()))
def test_a_wrong_name_is_refused_and_the_right_one_missed(
    values: dict[str, str], secrets: dict[str, SecretValue], field: str
) -> None:
    wrong_values = {f"{name}_x" if name == field else name: value for name, value in values.items()}
    wrong_secrets = {f"{name}_x" if name == field else name: value for name, value in secrets.items()}
    with pytest.raises(ValueError, match=f"{field}_x: not a setting") as error:
        container_settings(values=wrong_values, secrets=wrong_secrets)
    assert f"{field}: required" in str(error.value)


def test_a_secret_as_a_plain_value_is_refused(
    values: dict[str, str], secrets: dict[str, SecretValue]
) -> None:
    del secrets["cache_password"]
    with pytest.raises(ValueError, match="cache_password: a secret must not stand in the template") as error:
        container_settings(values=values | {"cache_password": "hunter2"}, secrets=secrets)
    assert "hunter2" not in str(error.value)


def test_a_plain_value_as_a_secret_is_refused(
    values: dict[str, str], secrets: dict[str, SecretValue], secret: SecretValue
) -> None:
    del values["region"]
    with pytest.raises(ValueError, match="region: not a secret"):
        container_settings(values=values, secrets=secrets | {"region": secret})


def test_only_ports_have_a_default_port() -> None:
    assert default_port("cache_port") == 6379
    for field in ("cache_host", "log_level", "no_such_port"):
        with pytest.raises(ValueError, match=field):
            default_port(field)
