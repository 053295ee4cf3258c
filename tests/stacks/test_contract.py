"""Platform and gateway: the deployed containers' environments are ones that their programs start with."""

import json
from typing import TYPE_CHECKING, Any

import pytest

from gatehouse.functions.pre_token.index import PROJECT_CLAIM
from gateway.identity.issuers import parse_issuers
from gateway.migrations.settings import load_migration_settings
from gateway.settings import (
    Settings,
    SettingsError,
    load_settings,
    required_fields,
    secret_fields,
    variable,
)
from stacks.config.load import load_environment

if TYPE_CHECKING:
    from tests.stacks.conftest import Assembly


@pytest.fixture
def container(assembly: "Assembly") -> dict[str, Any]:
    return _container(assembly, "gateway")


@pytest.fixture
def environ(container: dict[str, Any], assembly: "Assembly") -> dict[str, str]:
    return _environ(container, assembly)


def _container(assembly: "Assembly", name: str) -> dict[str, Any]:
    tasks = assembly.resources("Service", "AWS::ECS::TaskDefinition").values()
    (container,) = (c for t in tasks for c in t["Properties"]["ContainerDefinitions"] if c["Name"] == name)
    assert isinstance(container, dict)
    return container


def _environ(container: dict[str, Any], assembly: "Assembly") -> dict[str, str]:
    """What the deployed process finds in its environment, references and secrets resolved."""
    plain = {entry["Name"]: _resolved(entry["Value"]) for entry in container["Environment"]}
    secrets = {entry["Name"]: _secret(entry["ValueFrom"], assembly) for entry in container.get("Secrets", [])}
    return plain | secrets


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
    assert settings.cache_username == f"gatehouse-{assembly.environment}-gateway"
    assert settings.database_tls
    assert settings.cache_tls
    config = load_environment(assembly.environment)
    assert settings.account_id == config.account
    assert settings.known_keys_seconds == config.service.known_keys_minutes * 60
    assert settings.usage_retention_months == config.service.usage_retention_months
    # The load balancer stands before the tasks, and nothing else.
    assert settings.forwarded_hops == 1


def test_the_gateway_signs_in_to_database_and_cache_without_a_password(
    environ: dict[str, str], assembly: "Assembly"
) -> None:
    settings = load_settings(environ)
    assert settings.database_authentication == settings.cache_authentication == "iam"
    assert settings.database_password is settings.cache_password is None
    (user,) = assembly.resources("Data", "AWS::ElastiCache::User").values()
    assert settings.cache_username == user["Properties"]["UserName"]


def test_the_migrations_accept_the_deployed_environment_and_prepare_the_gateway_s_user(
    environ: dict[str, str], assembly: "Assembly"
) -> None:
    settings = load_migration_settings(_environ(_container(assembly, "migrations"), assembly))
    gateway = load_settings(environ)
    assert (settings.host, settings.port, settings.name) == (
        gateway.database_host,
        gateway.database_port,
        gateway.database_name,
    )
    assert settings.tls
    assert (settings.authentication, settings.password) == ("iam", None)
    assert settings.region == load_environment(assembly.environment).region
    (instance,) = assembly.resources("Data", "AWS::RDS::DBInstance").values()
    assert settings.username == instance["Properties"]["MasterUsername"]
    assert settings.serving_username == gateway.database_username != settings.username
    assert settings.serving_authentication == gateway.database_authentication


def test_the_tokens_of_the_user_pool_are_accepted(environ: dict[str, str], assembly: "Assembly") -> None:
    (issuer,) = parse_issuers(load_settings(environ).identity_issuers)
    region = load_environment(assembly.environment).region
    assert issuer.issuer.startswith(f"https://cognito-idp.{region}.amazonaws.com/")
    assert issuer.keys_url == f"{issuer.issuer}/.well-known/jwks.json"
    clients = assembly.resources("Identity", "AWS::Cognito::UserPoolClient")
    # The console's tokens are the load balancer's alone.
    assert len(issuer.client_ids) == len([name for name in clients if "Console" not in name])
    assert issuer.token_use == "access"
    assert issuer.roles_claim == "cognito:groups"
    assert issuer.project_claim == PROJECT_CLAIM
    (server,) = assembly.resources("Identity", "AWS::Cognito::UserPoolResourceServer").values()
    (scope,) = server["Properties"]["Scopes"]
    assert issuer.required_scope == f"{server['Properties']['Identifier']}/{scope['ScopeName']}"


def test_every_variable_is_a_setting_and_nothing_required_is_missing(environ: dict[str, str]) -> None:
    given = set(environ)
    assert given <= {variable(field) for field in Settings.model_fields}
    assert {variable(field) for field in required_fields()} <= given


def test_secrets_are_references_and_only_they_are(container: dict[str, Any]) -> None:
    secrets = {variable(field) for field in secret_fields()}
    passwords = {variable("database_password"), variable("cache_password")}
    assert {entry["Name"] for entry in container["Secrets"]} == secrets - passwords
    assert secrets.isdisjoint(entry["Name"] for entry in container["Environment"])


def test_each_task_may_sign_in_as_its_own_user_of_its_own_database_alone(assembly: "Assembly") -> None:
    users = {name: _users_of_the_database(policy) for name, policy in _policies_of_tasks(assembly).items()}
    assert {name: found for name, found in users.items() if found} == {
        "Task": ["gateway"],
        "Migrations": ["gatehouse"],
    }


def _policies_of_tasks(assembly: "Assembly") -> dict[str, Any]:
    """What the tasks themselves may do, by the construct that holds their role."""
    policies = assembly.resources("Service", "AWS::IAM::Policy").items()
    marker = "TaskRoleDefaultPolicy"
    return {name.partition(marker)[0]: policy for name, policy in policies if marker in name}


def _users_of_the_database(policy: dict[str, Any]) -> list[str]:
    statements = policy["Properties"]["PolicyDocument"]["Statement"]
    connect = [s for s in statements if "rds-db" in json.dumps(s["Action"])]
    for statement in connect:
        assert statement["Action"] == "rds-db:connect"
        resource = json.dumps(statement["Resource"])
        assert "DbiResourceId" in resource
        assert resource.count("dbuser:") == 1
        assert "*" not in resource
    return [json.dumps(s["Resource"]).rstrip(']}"').rpartition("/")[2] for s in connect]


def test_the_gateway_alone_may_sign_in_to_its_own_cache(assembly: "Assembly") -> None:
    statements = [
        (name, statement)
        for name, policy in assembly.resources("Service", "AWS::IAM::Policy").items()
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        if "elasticache" in json.dumps(statement["Action"])
    ]
    ((name, connect),) = statements
    assert name.startswith("TaskTaskRole")
    assert connect["Action"] == "elasticache:Connect"
    resources = json.dumps(connect["Resource"])
    assert resources.count("replicationgroup:") == resources.count(":user:") == 1
    assert "*" not in resources


def test_the_schema_is_migrated_before_the_service_is_updated(assembly: "Assembly") -> None:
    ((name, migrated),) = assembly.resources("Service", "Custom::DatabaseMigration").items()
    (service,) = assembly.resources("Service", "AWS::ECS::Service").values()
    assert name in service["DependsOn"]
    tasks = assembly.resources("Service", "AWS::ECS::TaskDefinition")
    definition = tasks[migrated["Properties"]["TaskDefinition"]["Ref"]]
    (container,) = definition["Properties"]["ContainerDefinitions"]
    assert container["Name"] == migrated["Properties"]["Container"] == "migrations"
    assert container["Image"] == _container(assembly, "gateway")["Image"]
    network = service["Properties"]["NetworkConfiguration"]["AwsvpcConfiguration"]
    assert migrated["Properties"]["Subnets"] == network["Subnets"]
    assert migrated["Properties"]["SecurityGroups"] == network["SecurityGroups"]


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
    for targets in assembly.resources("Service", "AWS::ElasticLoadBalancingV2::TargetGroup").values():
        assert targets["Properties"]["Port"] == port
    (service,) = assembly.resources("Service", "AWS::ECS::Service").values()
    assert [entry["ContainerPort"] for entry in service["Properties"]["LoadBalancers"]] == [port]


def test_streams_have_time_to_finish(
    container: dict[str, Any], environ: dict[str, str], assembly: "Assembly"
) -> None:
    settings = load_settings(environ)
    assert settings.lame_duck_seconds + settings.drain_seconds < container["StopTimeout"]
    # ECS waits for the deregistration before it tells the task to stop.
    (load_balancer,) = assembly.resources("Edge", "AWS::ElasticLoadBalancingV2::LoadBalancer").values()
    attributes = load_balancer["Properties"]["LoadBalancerAttributes"]
    (idle,) = (int(a["Value"]) for a in attributes if a["Key"] == "idle_timeout.timeout_seconds")
    for targets in assembly.resources("Service", "AWS::ElasticLoadBalancingV2::TargetGroup").values():
        group = {a["Key"]: a["Value"] for a in targets["Properties"]["TargetGroupAttributes"]}
        assert int(group["deregistration_delay.timeout_seconds"]) >= idle
