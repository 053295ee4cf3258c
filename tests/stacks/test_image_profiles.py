"""Other gateways on the same platform: what their containers get is what their documentation asks for.

The names of variables are those of docs.litellm.ai and of the README of github.com/epam/ai-dial-core.
"""

import json
from collections.abc import Callable
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest

import app
from gatehouse.load_balancer import IDLE_TIMEOUT
from stacks.config.load import CONFIG_DIRECTORY, load_configuration
from tests.stacks.conftest import Assembly, read_assembly

ROOT = Path(__file__).resolve().parents[2]
DIGEST = f"sha256:{'0123456789abcdef' * 4}"
REPOSITORY = "111111111111.dkr.ecr.us-east-1.amazonaws.com/gatehouse-dev/gateway"
SECRET = "arn:aws:secretsmanager:us-east-1:111111111111:secret:license-AbCdEf:key::"
PROFILES = {
    "litellm": {"uri": f"{REPOSITORY}@{DIGEST}", "version": "1.109.3"},
    "dial": {"uri": f"docker.io/epam/ai-dial-core@{DIGEST}", "version": "0.44.0"},
}
LITELLM_DATABASE = {
    "AWS_REGION_NAME",
    "DATABASE_HOST",
    "DATABASE_NAME",
    "DATABASE_PORT",
    "DATABASE_USER",
    "IAM_TOKEN_DB_AUTH",
}
LITELLM_FILES = {"LITELLM_MIGRATION_DIR", "LITELLM_NON_ROOT", "XDG_CACHE_HOME"}
LITELLM = {
    *LITELLM_DATABASE,
    *LITELLM_FILES,
    "DISABLE_SCHEMA_UPDATE",
    "JSON_LOGS",
    "JWT_PUBLIC_KEY_URL",
    "KEEPALIVE_TIMEOUT",
    "LITELLM_CONFIG_BUCKET_NAME",
    "LITELLM_CONFIG_BUCKET_OBJECT_KEY",
    "LITELLM_LOCAL_MODEL_COST_MAP",
    "LITELLM_LOG",
    "LITELLM_MODE",
    "NUM_WORKERS",
    "PROXY_BASE_URL",
    "REDIS_AWS_IAM_AUTH",
    "REDIS_AWS_IAM_CACHE_NAME",
    "REDIS_AWS_IAM_REGION",
    "REDIS_AWS_IAM_USER_NAME",
    "REDIS_HOST",
    "REDIS_PORT",
    "REDIS_SSL",
    "STORE_MODEL_IN_DB",
}
DIAL = {
    "aidial.apiKeyValidation.proxyCount",
    "aidial.client.idleTimeout",
    "aidial.config.files",
    "aidial.identityProviders.cognito.issuerPattern",
    "aidial.identityProviders.cognito.jwksUrl",
    "aidial.identityProviders.cognito.loggingKey",
    "aidial.identityProviders.cognito.rolePath",
    "aidial.redis.provider.clusterName",
    "aidial.redis.provider.name",
    "aidial.redis.provider.region",
    "aidial.redis.provider.serverless",
    "aidial.redis.provider.userId",
    "aidial.redis.singleServerConfig.address",
    "aidial.server.idleTimeout",
    "aidial.storage.bucket",
    "aidial.storage.createBucket",
    "aidial.storage.prefix",
    "aidial.storage.provider",
}

Foreign = Callable[[str], Assembly]


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Foreign:
    """Give dev's assembly with another gateway's image, synthesized once with all rule packs."""
    known: dict[str, Assembly] = {}

    def synthesize(profile: str) -> Assembly:
        if profile not in known:
            folder = tmp_path_factory.mktemp(profile)
            configuration = load_configuration("dev", _configuration(profile, folder))
            flags = json.loads((ROOT / "cdk.json").read_text(encoding="utf-8"))["context"]
            with pytest.MonkeyPatch.context() as patch:
                # The rule packs judge here; the templates' syntax is judged for the environments themselves.
                patch.setenv("CDK_VALIDATION", "false")
                patch.setattr(app, "load_configuration", lambda name: configuration)
                context = flags | {"environment": "dev", "@aws-cdk/core:failSynthOnValidationErrors": False}
                app.build(context=context, outdir=str(folder / "out")).synth()
            known[profile] = read_assembly("dev", folder / "out")
        return known[profile]

    return synthesize


def _configuration(profile: str, folder: Path) -> Path:
    directory = Path(copytree(CONFIG_DIRECTORY, folder / "config"))
    file = directory / "dev.yaml"
    settings = {
        "profile": profile,
        **PROFILES[profile],
        "environment": {"EXTRA": "value"},
        "secrets": {"LICENSE": SECRET},
    }
    text = file.read_text(encoding="utf-8").replace("memory_mib: 1024", "memory_mib: 4096")
    file.write_text(f"{text}\nimage: {json.dumps(settings)}\n", encoding="utf-8")
    return directory


def _container(assembly: Assembly, name: str) -> dict[str, Any]:
    tasks = assembly.resources("Service", "AWS::ECS::TaskDefinition").values()
    (found,) = (c for t in tasks for c in t["Properties"]["ContainerDefinitions"] if c["Name"] == name)
    assert isinstance(found, dict)
    return found


def _variables(container: dict[str, Any]) -> dict[str, Any]:
    return {entry["Name"]: entry["Value"] for entry in container.get("Environment", [])}


def _secrets(container: dict[str, Any]) -> set[str]:
    return {entry["Name"] for entry in container.get("Secrets", [])}


def _statements(assembly: Assembly, role: str) -> list[dict[str, Any]]:
    policies = assembly.resources("Service", "AWS::IAM::Policy").items()
    return [
        s
        for name, policy in policies
        if name.startswith(role)
        for s in policy["Properties"]["PolicyDocument"]["Statement"]
    ]


@pytest.mark.parametrize("profile", PROFILES)
def test_the_rule_packs_find_nothing(foreign: Foreign, profile: str) -> None:
    report = json.loads((foreign(profile).directory / "validation-report.json").read_text(encoding="utf-8"))
    found = [
        (violation["ruleName"], [each["constructPath"] for each in violation["violatingConstructs"]])
        for plugin in report["pluginReports"]
        for violation in plugin.get("violations", [])
    ]
    assert found == []


@pytest.mark.parametrize(
    ("profile", "documented", "secrets"),
    [
        ("litellm", LITELLM, {"LITELLM_MASTER_KEY", "LITELLM_SALT_KEY"}),
        (
            "dial",
            DIAL,
            {
                # What the start command writes into the file that aidial.config.files names.
                "AIDIAL_CONFIG",
                "aidial.encryption.key",
                "aidial.encryption.secret",
                "aidial.identityProviders.cognito.loggingSalt",
            },
        ),
    ],
)
def test_a_container_has_the_documented_variables_and_the_configured_ones(
    foreign: Foreign, profile: str, documented: set[str], secrets: set[str]
) -> None:
    container = _container(foreign(profile), "gateway")
    assert _variables(container).keys() == {*documented, "EXTRA"}
    assert _secrets(container) == {*secrets, "LICENSE"}


@pytest.mark.parametrize(
    ("profile", "port", "path", "user"),
    [("litellm", 4000, "/health/liveliness", "65534"), ("dial", 8080, "/health", "1001")],
)
def test_port_health_and_user_are_those_of_the_image(
    foreign: Foreign, profile: str, port: int, path: str, user: str
) -> None:
    assembly = foreign(profile)
    container = _container(assembly, "gateway")
    assert [mapping["ContainerPort"] for mapping in container["PortMappings"]] == [port]
    assert container["User"] == user
    assert f":{port}{path}" in container["HealthCheck"]["Command"][-1]
    groups = assembly.resources("Service", "AWS::ElasticLoadBalancingV2::TargetGroup").values()
    assert {(group["Properties"]["Port"], group["Properties"]["HealthCheckPath"]) for group in groups} == {
        (port, path)
    }


@pytest.mark.parametrize("profile", PROFILES)
def test_the_image_is_the_configured_one_by_its_digest(foreign: Foreign, profile: str) -> None:
    image = json.dumps(_container(foreign(profile), "gateway")["Image"])
    assert DIGEST in image
    manifests = foreign(profile).directory.rglob("*.assets.json")
    assert not any(json.loads(file.read_text(encoding="utf-8"))["dockerImages"] for file in manifests)


@pytest.mark.parametrize("profile", PROFILES)
def test_it_is_as_hardened_as_the_bundled_gateway(foreign: Foreign, profile: str) -> None:
    container = _container(foreign(profile), "gateway")
    assert container["ReadonlyRootFilesystem"] is True
    assert container["LinuxParameters"]["Capabilities"] == {"Drop": ["ALL"]}
    assert "/tmp" in {each["ContainerPath"] for each in container["LinuxParameters"]["Tmpfs"]}


@pytest.mark.parametrize("profile", PROFILES)
def test_the_catalog_gives_permissions_but_no_configuration(foreign: Foreign, profile: str) -> None:
    assembly = foreign(profile)
    actions = json.dumps([statement["Action"] for statement in _statements(assembly, "TaskTaskRole")])
    assert "bedrock:InvokeModel" in actions
    assert "appconfig" not in actions
    assert not assembly.resources("Service", "AWS::AppConfig::Application")


@pytest.mark.parametrize("profile", PROFILES)
def test_no_password_is_anywhere(foreign: Foreign, profile: str) -> None:
    assembly = foreign(profile)
    (user,) = assembly.resources("Data", "AWS::ElastiCache::User").values()
    assert user["Properties"]["AuthenticationMode"] == {"Type": "iam"}
    # Keys of other gateways do not begin with the bundled one's prefix.
    assert " ~* " in user["Properties"]["AccessString"]
    (connect,) = (s for s in _statements(assembly, "TaskTaskRole") if s["Action"] == "elasticache:Connect")
    assert connect["Effect"] == "Allow"
    names = {*_variables(_container(assembly, "gateway")), *_secrets(_container(assembly, "gateway"))}
    assert not any("password" in name.lower() for name in names)


@pytest.mark.parametrize("profile", PROFILES)
def test_ecs_may_read_a_configured_secret_s_field(foreign: Foreign, profile: str) -> None:
    container = _container(foreign(profile), "gateway")
    (reference,) = (entry["ValueFrom"] for entry in container["Secrets"] if entry["Name"] == "LICENSE")
    assert reference == SECRET
    reads = json.dumps(_statements(foreign(profile), "TaskDefinitionExecutionRole"))
    assert SECRET.removesuffix(":key::") in reads


@pytest.mark.parametrize("profile", PROFILES)
def test_its_secrets_are_encrypted_with_the_data_key(foreign: Foreign, profile: str) -> None:
    secrets = foreign(profile).resources("Service", "AWS::SecretsManager::Secret").values()
    assert secrets
    for secret in secrets:
        assert "EncryptionKeysData" in json.dumps(secret["Properties"]["KmsKeyId"])


@pytest.mark.parametrize(
    ("profile", "variable", "per_second"),
    [
        ("litellm", "KEEPALIVE_TIMEOUT", 1),
        ("dial", "aidial.server.idleTimeout", 1000),
        ("dial", "aidial.client.idleTimeout", 1000),
    ],
)
def test_a_connection_outlives_the_load_balancer_s_patience(
    foreign: Foreign, profile: str, variable: str, per_second: int
) -> None:
    value = int(_variables(_container(foreign(profile), "gateway"))[variable])
    assert value > IDLE_TIMEOUT.to_seconds() * per_second


def test_litellm_signs_in_to_the_database_as_its_owner_and_migrates_before_the_rollout(
    foreign: Foreign,
) -> None:
    assembly = foreign("litellm")
    for role in ("TaskTaskRole", "MigrationsTaskRole"):
        (connect,) = (s for s in _statements(assembly, role) if s["Action"] == "rds-db:connect")
        assert json.dumps(connect["Resource"]).rstrip(']}"').endswith("/gatehouse")
    migrations = _container(assembly, "migrations")
    assert migrations["EntryPoint"] == ["python", "litellm/proxy/prisma_migration.py"]
    assert _variables(migrations).keys() == LITELLM_DATABASE | LITELLM_FILES
    assert _secrets(migrations) == set()
    # The service's own tasks leave the schema alone.
    assert _variables(_container(assembly, "gateway"))["DISABLE_SCHEMA_UPDATE"] == "true"
    (service,) = assembly.resources("Service", "AWS::ECS::Service").values()
    assert set(assembly.resources("Service", "Custom::DatabaseMigration")) <= set(service["DependsOn"])


def test_litellm_reads_its_configuration_and_no_other_object(foreign: Foreign) -> None:
    assembly = foreign("litellm")
    variables = _variables(_container(assembly, "gateway"))
    assert variables["LITELLM_CONFIG_BUCKET_OBJECT_KEY"] == "litellm/config.yaml"
    (read,) = (s for s in _statements(assembly, "TaskTaskRole") if "s3:" in json.dumps(s["Action"]))
    assert read["Action"] == "s3:GetObject"
    assert "ObjectStoreBucket" in json.dumps(read["Resource"])
    assert read["Resource"]["Fn::Join"][1][-1] == "/litellm/config.yaml"


def test_litellm_s_master_key_begins_as_it_must(foreign: Foreign) -> None:
    container = _container(foreign("litellm"), "gateway")
    assert container["EntryPoint"] == ["sh", "-c"]
    (command,) = container["Command"]
    assert 'LITELLM_MASTER_KEY="sk-$LITELLM_MASTER_KEY"' in command
    assert command.endswith("exec docker/prod_entrypoint.sh --port 4000")


def test_dial_keeps_its_data_in_the_bucket_under_its_prefix(foreign: Foreign) -> None:
    assembly = foreign("dial")
    variables = _variables(_container(assembly, "gateway"))
    assert variables["aidial.storage.provider"] == "aws-s3"
    assert variables["aidial.storage.prefix"] == "core"
    statements = {
        json.dumps(s["Action"]): s["Resource"]
        for s in _statements(assembly, "TaskTaskRole")
        if "s3:" in json.dumps(s["Action"])
    }
    (objects,) = (r for a, r in statements.items() if "s3:PutObject" in a)
    (bucket,) = (r for a, r in statements.items() if "s3:ListBucket" in a)
    assert objects["Fn::Join"][1] == [bucket, "/core/*"]


def test_dial_finds_its_configuration_where_its_start_writes_it(foreign: Foreign) -> None:
    container = _container(foreign("dial"), "gateway")
    (file,) = json.loads(_variables(container)["aidial.config.files"])
    (command,) = container["Command"]
    assert command == f'printf %s "$AIDIAL_CONFIG" > {file} && exec /app/bin/server'
    folders = {each["ContainerPath"] for each in container["LinuxParameters"]["Tmpfs"]}
    assert str(Path(file).parent) in folders


def test_dial_accepts_the_tokens_of_the_user_pool_alone(foreign: Foreign) -> None:
    variables = _variables(_container(foreign("dial"), "gateway"))
    pattern = variables["aidial.identityProviders.cognito.issuerPattern"]["Fn::Join"][1]
    keys = variables["aidial.identityProviders.cognito.jwksUrl"]["Fn::Join"][1]
    # The same user pool, between the ends of a pattern whose dots are dots.
    assert pattern[0] == r"^https://cognito-idp\.us-east-1\.amazonaws\.com/"
    assert pattern[1] == keys[1]
    assert pattern[2] == "$"
    assert keys[2] == "/.well-known/jwks.json"
    assert variables["aidial.identityProviders.cognito.rolePath"] == "cognito:groups"


def test_dial_has_no_database_and_no_migrations(foreign: Foreign) -> None:
    assembly = foreign("dial")
    assert not assembly.resources("Service", "Custom::DatabaseMigration")
    assert "rds-db:connect" not in json.dumps(_statements(assembly, "TaskTaskRole"))
