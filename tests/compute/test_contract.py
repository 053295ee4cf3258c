"""Platform and gateway: the deployed containers' environments are ones that their programs start with."""

import json
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

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
from tests.compute.view import Container, Permission

if TYPE_CHECKING:
    from tests.compute.conftest import Deployed
    from tests.stacks.conftest import Assembly

# What the platform tells its containers beside: ECS by itself, Kubernetes by their manifests.
OF_THE_PLATFORM = {"AWS_REGION", "AWS_DEFAULT_REGION", variable("secrets_directory")}


@pytest.fixture
def environ(deployed: "Deployed") -> dict[str, str]:
    return _environ(deployed.view.gateway, deployed)


def _environ(container: Container, deployed: "Deployed") -> dict[str, str]:
    """What the deployed process finds, in its environment or in files: references and secrets resolved.

    A reference becomes a number, which is good as a port.
    """
    plain = {
        name: re.sub(r"\$\{[^}]*\}", "1234", value)
        for name, value in container.environment.items()
        if name not in OF_THE_PLATFORM
    }
    return plain | {name: _secret(where, deployed.assembly) for name, where in container.secrets.items()}


def _secret(where: str, assembly: "Assembly") -> str:
    """A secret as Secrets Manager would generate it: the JSON object, or the field that is asked for."""
    reference, _, field = where.partition("#")
    name = reference.removeprefix("${Fn::ImportValue:").removesuffix("}")
    exports = {
        output["Export"]["Name"]: output["Value"]
        for output in assembly.templates["Data"]["Outputs"].values()
        if "Export" in output
    }
    secret = assembly.resources("Data", "AWS::SecretsManager::Secret")[exports[name]["Ref"]]
    rule = secret["Properties"]["GenerateSecretString"]
    document = json.loads(rule["SecretStringTemplate"]) | {
        rule["GenerateStringKey"]: "a" * rule["PasswordLength"]
    }
    return str(document[field]) if field else json.dumps(document)


def test_the_gateway_accepts_the_deployed_environment(environ: dict[str, str], deployed: "Deployed") -> None:
    settings = load_settings(environ)
    assert settings.environment == deployed.environment
    assert settings.cache_username == f"gatehouse-{deployed.environment}-gateway"
    assert settings.database_tls
    assert settings.cache_tls
    config = deployed.config
    assert settings.account_id == config.account
    assert settings.known_keys_seconds == config.service.known_keys_minutes * 60
    assert settings.usage_retention_months == config.service.usage_retention_months
    # The load balancer stands before the tasks, and nothing else.
    assert settings.forwarded_hops == 1


def test_the_gateway_signs_in_to_database_and_cache_without_a_password(
    environ: dict[str, str], deployed: "Deployed"
) -> None:
    settings = load_settings(environ)
    assert settings.database_authentication == settings.cache_authentication == "iam"
    assert settings.database_password is settings.cache_password is None
    (user,) = deployed.assembly.resources("Data", "AWS::ElastiCache::User").values()
    assert settings.cache_username == user["Properties"]["UserName"]


def test_the_migrations_accept_the_deployed_environment_and_prepare_the_gateway_s_user(
    environ: dict[str, str], deployed: "Deployed"
) -> None:
    settings = load_migration_settings(_environ(deployed.view.migrations, deployed))
    gateway = load_settings(environ)
    assert (settings.host, settings.port, settings.name) == (
        gateway.database_host,
        gateway.database_port,
        gateway.database_name,
    )
    assert settings.tls
    assert (settings.authentication, settings.password) == ("iam", None)
    assert settings.region == deployed.config.region
    (instance,) = deployed.assembly.resources("Data", "AWS::RDS::DBInstance").values()
    assert settings.username == instance["Properties"]["MasterUsername"]
    assert settings.serving_username == gateway.database_username != settings.username
    assert settings.serving_authentication == gateway.database_authentication


def test_the_tokens_of_the_user_pool_are_accepted(environ: dict[str, str], deployed: "Deployed") -> None:
    (issuer,) = parse_issuers(load_settings(environ).identity_issuers)
    region = deployed.config.region
    assert issuer.issuer.startswith(f"https://cognito-idp.{region}.amazonaws.com/")
    # With a standby Cognito gives both regions' tokens one issuer, and the first stays an alias of it.
    host = "cognito-idp" if deployed.config.standby_region is None else "issuer-cognito-idp"
    pool = issuer.issuer.rpartition("/")[2]
    assert issuer.keys_url == f"https://{host}.{region}.amazonaws.com/{pool}/.well-known/jwks.json"
    clients = deployed.assembly.resources("Identity", "AWS::Cognito::UserPoolClient")
    # The console's tokens are the load balancer's alone.
    assert len(issuer.client_ids) == len([name for name in clients if "Console" not in name])
    assert issuer.token_use == "access"
    assert issuer.roles_claim == "cognito:groups"
    assert issuer.project_claim == PROJECT_CLAIM
    (server,) = deployed.assembly.resources("Identity", "AWS::Cognito::UserPoolResourceServer").values()
    (scope,) = server["Properties"]["Scopes"]
    assert issuer.required_scope == f"{server['Properties']['Identifier']}/{scope['ScopeName']}"


def test_every_variable_is_a_setting_and_nothing_required_is_missing(environ: dict[str, str]) -> None:
    given = set(environ)
    assert given <= {variable(field) for field in Settings.model_fields}
    assert {variable(field) for field in required_fields()} <= given


def test_secrets_are_references_and_only_they_are(deployed: "Deployed") -> None:
    secrets = {variable(field) for field in secret_fields()}
    passwords = {variable("database_password"), variable("cache_password")}
    gateway = deployed.view.gateway
    assert gateway.secrets.keys() == secrets - passwords
    assert secrets.isdisjoint(gateway.environment)
    assert deployed.view.migrations.secrets == {}


def test_each_may_sign_in_as_its_own_user_of_its_own_database_alone(deployed: "Deployed") -> None:
    # A recovery replaces the instance, and its ID with it.
    instance = r"\$\{[^}]*DbiResourceId[^}]*\}" if deployed.config.standby_region is None else r"\*"
    assert _database_users(deployed.view.gateway_may, instance) == ["gateway"]
    assert _database_users(deployed.view.migrations_may, instance) == ["gatehouse"]


def _database_users(permissions: Iterable[Permission], instance: str) -> list[str]:
    found = [(action, resource) for action, resource, _ in permissions if action.startswith("rds-db")]
    for action, resource in found:
        assert action == "rds-db:connect"
        assert re.fullmatch(rf"arn:aws:rds-db:[^:]+:\d+:dbuser:{instance}/[a-z]+", resource)
    return [resource.rpartition("/")[2] for _, resource in found]


def test_the_gateway_alone_may_sign_in_to_its_own_cache(deployed: "Deployed") -> None:
    found = {
        (action, resource.split(":")[5])
        for action, resource, _ in deployed.view.gateway_may
        if action.startswith("elasticache")
    }
    assert found == {("elasticache:Connect", "replicationgroup"), ("elasticache:Connect", "user")}
    documents = deployed.assembly.resources("Service", "AWS::IAM::Policy").values()
    assert sum("elasticache:" in json.dumps(policy["Properties"]) for policy in documents) == 1


def test_the_schema_is_migrated_before_the_gateway_is_updated(deployed: "Deployed") -> None:
    assert deployed.view.migrations_come_first
    assert deployed.view.catalog_comes_first
    assert deployed.view.migrations.image == deployed.view.gateway.image


def test_a_misspelt_variable_stops_the_gateway(environ: dict[str, str]) -> None:
    for name in environ:
        misspelt = {f"{key}X" if key == name else key: value for key, value in environ.items()}
        with pytest.raises(SettingsError, match=f"{name}X"):
            load_settings(misspelt)


def test_ports_agree_from_load_balancer_to_process(environ: dict[str, str], deployed: "Deployed") -> None:
    port = load_settings(environ).port
    assert deployed.view.gateway.ports == (port,)
    assert deployed.view.target_port == port
    for group in deployed.template.resources("AWS::ElasticLoadBalancingV2::TargetGroup").values():
        assert group["Port"] == port
