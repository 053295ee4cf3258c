"""Platform and gateway: the deployed container's environment is one that the gateway starts with."""

import json
from typing import TYPE_CHECKING, Any

import pytest

from gateway.settings import (
    Settings,
    SettingsError,
    load_settings,
    required_fields,
    secret_fields,
    variable,
)

if TYPE_CHECKING:
    from tests.stacks.conftest import Assembly


@pytest.fixture
def container(assembly: "Assembly") -> dict[str, Any]:
    (task,) = assembly.resources("Service", "AWS::ECS::TaskDefinition").values()
    (container,) = task["Properties"]["ContainerDefinitions"]
    assert isinstance(container, dict)
    return container


@pytest.fixture
def environ(container: dict[str, Any], assembly: "Assembly") -> dict[str, str]:
    """What the deployed process finds in its environment, references and secrets resolved."""
    plain = {entry["Name"]: _resolved(entry["Value"]) for entry in container["Environment"]}
    return plain | {entry["Name"]: _secret(entry["ValueFrom"], assembly) for entry in container["Secrets"]}


def _resolved(value: Any) -> str:
    """A template's value as CloudFormation could resolve it: a reference becomes a number, good as a port."""
    if isinstance(value, str):
        return value
    ((function, argument),) = value.items()
    if function == "Fn::Join":
        separator, parts = argument
        return str(separator).join(_resolved(part) for part in parts)
    assert function in {"Ref", "Fn::GetAtt", "Fn::ImportValue"}
    return "1234"


def _secret(value_from: Any, assembly: "Assembly") -> str:
    """A secret as Secrets Manager would generate it: the JSON object, or the field that is asked for."""
    reference, field = value_from, ""
    if "Fn::Join" in value_from:
        reference, suffix = value_from["Fn::Join"][1]
        field = suffix.strip(":")
    exports = {
        output["Export"]["Name"]: output["Value"]
        for output in assembly.templates["Data"]["Outputs"].values()
        if "Export" in output
    }
    exported = exports[reference["Fn::ImportValue"]]
    secret = assembly.resources("Data", "AWS::SecretsManager::Secret")[exported["Ref"]]
    rule = secret["Properties"]["GenerateSecretString"]
    document = json.loads(rule["SecretStringTemplate"]) | {
        rule["GenerateStringKey"]: "a" * rule["PasswordLength"]
    }
    return str(document[field]) if field else json.dumps(document)


def test_the_gateway_accepts_the_deployed_environment(environ: dict[str, str], assembly: "Assembly") -> None:
    settings = load_settings(environ)
    assert settings.environment == assembly.environment
    assert settings.cache_username == "gateway"
    assert settings.database_tls
    assert settings.cache_tls


def test_every_variable_is_a_setting_and_nothing_required_is_missing(environ: dict[str, str]) -> None:
    given = set(environ)
    assert given <= {variable(field) for field in Settings.model_fields}
    assert {variable(field) for field in required_fields()} <= given


def test_secrets_are_references_and_only_they_are(container: dict[str, Any]) -> None:
    assert {entry["Name"] for entry in container["Secrets"]} == {variable(field) for field in secret_fields()}


def test_a_misspelt_variable_stops_the_gateway(environ: dict[str, str]) -> None:
    for name in environ:
        misspelt = {f"{key}X" if key == name else key: value for key, value in environ.items()}
        with pytest.raises(SettingsError, match=f"{name}X"):
            load_settings(misspelt)


def test_ports_agree_from_load_balancer_to_process(
    container: dict[str, Any], environ: dict[str, str], assembly: "Assembly"
) -> None:
    port = load_settings(environ).port
    assert [mapping["ContainerPort"] for mapping in container["PortMappings"]] == [port]
    (targets,) = assembly.resources("Service", "AWS::ElasticLoadBalancingV2::TargetGroup").values()
    assert targets["Properties"]["Port"] == port
    (service,) = assembly.resources("Service", "AWS::ECS::Service").values()
    assert [entry["ContainerPort"] for entry in service["Properties"]["LoadBalancers"]] == [port]


def test_streams_have_time_to_finish(
    container: dict[str, Any], environ: dict[str, str], assembly: "Assembly"
) -> None:
    settings = load_settings(environ)
    (targets,) = assembly.resources("Service", "AWS::ElasticLoadBalancingV2::TargetGroup").values()
    attributes = {entry["Key"]: entry["Value"] for entry in targets["Properties"]["TargetGroupAttributes"]}
    assert settings.lame_duck_seconds + settings.drain_seconds < container["StopTimeout"]
    assert int(attributes["deregistration_delay.timeout_seconds"]) < container["StopTimeout"]
