"""The whole platform on one machine, once: deployed, asked, stopped, started again, crashed, cleaned up."""

import asyncio
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg
import psutil
import pytest
from botocore.exceptions import ClientError

from local import aws
from local.emulator.server import records_path
from local.emulator.stand_ins import STAND_INS
from local.first_key import PROJECT
from local.gateway import readiness
from local.options import Options
from local.processes import recorded_process, runs
from operations.assembly import read_stacks

CHILDREN = {"emulator", "postgres", "valkey", "bedrock", "gateway"}
Up = Callable[[], "subprocess.Popen[str]"]
Report = dict[str, Any]


def _report(process: "subprocess.Popen[str]", options: Options) -> Report:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, options.state.with_suffix(".up.log").read_text()
    report: Report = json.loads(line)
    return report


def _processes(options: Options) -> dict[str, psutil.Process]:
    found = {path.stem: recorded_process(path) for path in options.run.glob("*.json")}
    return {name: process for name, process in found.items() if process is not None}


def _open_ports(options: Options) -> list[str]:
    """The names whose port still answers."""
    names = []
    for name, number in options.ports.items():
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", number)) == 0:
                names.append(name)
    return names


@pytest.fixture(scope="module")
def up(start_up: Up) -> "subprocess.Popen[str]":
    return start_up()


@pytest.fixture(scope="module")
def report(up: "subprocess.Popen[str]", options: Options) -> Report:
    return _report(up, options)


def test_every_stack_is_created(report: Report, options: Options) -> None:
    synthesized = {
        stack.deployed_name: len(stack.resources) for stack in read_stacks(options.assembly).values()
    }
    assert {stack["name"]: stack["resources"] for stack in report["stacks"]} == synthesized
    assert {stack["status"] for stack in report["stacks"]} == {"CREATE_COMPLETE"}
    assert {name.removeprefix("gatehouse-dev-") for name in synthesized} == {
        "Audit", "Data", "Edge", "Identity", "Keys", "ModelAccess-111111111111-us-east-1", "Network",
        "Observability", "Registry", "Service",
    }  # fmt: skip


def test_a_chat_request_is_answered_whole_and_streamed(report: Report) -> None:
    assert report["answers"]["whole"]
    assert report["answers"]["streamed"]
    assert report["answers"]["chunks"] > 1


def test_the_curl_line_works_as_printed(report: Report) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    command = [*shlex.split(report["curl"]), "--silent", "--noproxy", "*"]
    answer = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    assert answer["choices"][0]["message"]["content"]


def test_the_gateway_reaches_cache_and_database(report: Report, options: Options) -> None:
    assert readiness(options) == {"status": "ready", "cache": "reachable", "database": "reachable"}


def test_the_migrations_ran_as_the_deployed_task_in_the_course_of_the_deployment(
    report: Report, options: Options
) -> None:
    events = [json.loads(line) for line in (options.logs / "migrations.log").read_text().splitlines()]
    assert [event["event"] for event in events].count("migration_step") > 0
    assert events[-1]["event"] == "migration_finished"
    migrated = _service_resource(options, "Custom::DatabaseMigration")
    cloudformation = aws.client("cloudformation", options, "us-east-1")
    done = {
        event["LogicalResourceId"]: event["Timestamp"]
        for event in cloudformation.describe_stack_events(StackName="gatehouse-dev-Service")["StackEvents"]
        if event["ResourceStatus"] == "CREATE_COMPLETE"
    }
    service = _service_resource(options, "AWS::ECS::Service")
    assert done[migrated] <= done[service]


def _service_resource(options: Options, resource_type: str) -> str:
    """The logical ID of the one resource of a type in the stack of the service."""
    service = read_stacks(options.assembly)["Service"]
    (name,) = (name for name, r in service.resources.items() if r.type == resource_type)
    return name


def test_the_key_s_requests_are_in_the_ledger_and_charged_to_its_project(
    report: Report, options: Options
) -> None:
    assert report["usage"]["requests"] == 2
    assert report["usage"]["output_tokens"] > 0
    assert report["usage"]["usd"] > 0
    rows = asyncio.run(
        _query(
            options,
            "SELECT p.name, u.streamed, u.status FROM usage u JOIN projects p ON p.id = u.project_id "
            "WHERE u.operation = 'chat_completions'",
        )
    )
    # What `curl` asked may be there already, too.
    assert {tuple(row) for row in rows} == {(PROJECT, False, 200), (PROJECT, True, 200)}


async def _query(options: Options, statement: str) -> list[Any]:
    """What the database's administrator sees."""
    connection = await asyncpg.connect(
        host="127.0.0.1",
        port=options.ports["database"],
        user="postgres",
        password=(options.state / "postgres" / "administrator-password").read_text(),
        database="gatehouse",
        ssl=False,
    )
    try:
        rows: list[Any] = await connection.fetch(statement)
        return rows
    finally:
        await connection.close()


def test_the_gateway_signs_in_as_a_user_that_cannot_change_the_schema(
    report: Report, options: Options
) -> None:
    users = asyncio.run(
        _query(options, "SELECT DISTINCT usename FROM pg_stat_activity WHERE datname = 'gatehouse'")
    )
    assert {row["usename"] for row in users} - {"postgres"} == {"gateway"}
    (row,) = asyncio.run(
        _query(options, "SELECT has_schema_privilege('gateway', 'public', 'CREATE') AS may_create")
    )
    assert row["may_create"] is False


def test_the_gatehouse_lines_work_as_printed(report: Report) -> None:
    variables, *commands = report["gatehouse"]
    assert commands[0] == f"gatehouse projects create {PROJECT}"
    script = "\n".join(["set -e", variables, *commands[1:]])
    program = Path(sys.executable).parent
    environ = {"PATH": f"{program}:{os.environ['PATH']}", "HOME": os.environ.get("HOME", "/")}
    done = subprocess.run(
        ["sh", "-c", script],
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert PROJECT in done.stdout


def test_a_machine_signs_in_by_the_deployed_user_pool(report: Report, options: Options) -> None:
    """The token is real, and so are its checks; a machine without a project is told what to do."""
    token = _machine_token(options)
    request = urllib.request.Request(
        f"{report['url']}/v1/models", headers={"Authorization": f"Bearer {token}"}
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with pytest.raises(urllib.error.HTTPError) as caught:
        opener.open(request, timeout=30)
    answer = json.load(caught.value)
    assert (caught.value.code, "project" in answer["error"]["message"]) == (403, True), answer


def _machine_token(options: Options) -> str:
    outputs = aws.client("cloudformation", options, "us-east-1").describe_stacks(
        StackName="gatehouse-dev-Identity"
    )["Stacks"][0]["Outputs"]
    known = {output["OutputKey"]: output["OutputValue"] for output in outputs}
    pool, client_id = known["UserPoolId"], known["MachineClientId"]
    cognito = aws.client("cognito-idp", options, "us-east-1")
    client = cognito.describe_user_pool_client(UserPoolId=pool, ClientId=client_id)["UserPoolClient"]
    form = {
        "grant_type": "client_credentials",
        "client_id": client_id,
        "client_secret": client["ClientSecret"],
        "scope": "gateway/invoke",
    }
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    url, data = f"{options.url('emulator')}/oauth2/token", urllib.parse.urlencode(form).encode()
    with opener.open(url, data, timeout=30) as answer:
        token: str = json.load(answer)["access_token"]
        return token


def test_only_addresses_are_mapped(report: Report) -> None:
    assert [row["variable"] for row in report["addresses"]] == [
        "GATEWAY_HOST",
        "GATEWAY_PORT",
        "GATEWAY_CACHE_HOST",
        "GATEWAY_CACHE_PORT",
        "GATEWAY_CACHE_TLS",
        "GATEWAY_CACHE_AUTHENTICATION",
        "GATEWAY_DATABASE_HOST",
        "GATEWAY_DATABASE_PORT",
        "GATEWAY_DATABASE_TLS",
        "GATEWAY_DATABASE_AUTHENTICATION",
        "GATEWAY_IDENTITY_ISSUERS",
        "AWS_ENDPOINT_URL_BEDROCK_RUNTIME",
        "AWS_ENDPOINT_URL_APPCONFIGDATA",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    ]


def test_the_gateway_sees_nothing_of_the_callers_environment(report: Report, options: Options) -> None:
    service = read_stacks(options.assembly)["Service"]
    (container,) = (
        container
        for definition in service.of_type("AWS::ECS::TaskDefinition")
        for container in definition.properties["ContainerDefinitions"]
        if container["Name"] == "gateway"
    )
    deployed = {entry["Name"] for entry in [*container["Environment"], *container["Secrets"]]}
    mapped = {row["variable"] for row in report["addresses"]}
    from_ecs = {"AWS_REGION", "AWS_CONTAINER_AUTHORIZATION_TOKEN"}
    passwords = {"GATEWAY_CACHE_PASSWORD", "GATEWAY_DATABASE_PASSWORD"}  # in place of IAM
    # Python itself adds LC_CTYPE when the locale is C.
    allowed = deployed | mapped | from_ecs | passwords | {"PATH", "LANG", "LC_CTYPE"}
    assert set(_processes(options)["gateway"].environ()) <= allowed
    assert deployed <= set(_processes(options)["gateway"].environ())


def test_the_stand_ins_are_exactly_the_listed_ones(report: Report, options: Options) -> None:
    records = json.loads(records_path(options).read_text())
    synthesized = {
        each.type for stack in read_stacks(options.assembly).values() for each in stack.resources.values()
    }
    assert {record["type"] for record in records.values()} == synthesized & set(STAND_INS)
    assert report["stand_ins"] == sorted(records)


def test_stand_ins_were_given_what_was_synthesized(report: Report, options: Options) -> None:
    synthesized = {
        f"{stack.deployed_name}/{logical_id}": resource.properties
        for stack in read_stacks(options.assembly).values()
        for logical_id, resource in stack.resources.items()
        if resource.type in STAND_INS
    }
    deployed = {name: r["properties"] for name, r in json.loads(records_path(options).read_text()).items()}
    assert deployed.keys() == synthesized.keys()
    for name, properties in synthesized.items():
        _assert_same(properties, deployed[name], name)


def _assert_same(synthesized: Any, deployed: Any, where: str) -> None:
    """Equal, but for references, which are some text once deployed."""
    if isinstance(synthesized, dict) and any(key == "Ref" or key.startswith("Fn::") for key in synthesized):
        assert isinstance(deployed, str), where
        assert deployed, where
    elif isinstance(synthesized, dict):
        assert isinstance(deployed, dict), where
        assert deployed.keys() == synthesized.keys(), where
        for key, value in synthesized.items():
            _assert_same(value, deployed[key], f"{where}.{key}")
    elif isinstance(synthesized, list):
        assert isinstance(deployed, list), where
        assert len(deployed) == len(synthesized), where
        for index, value in enumerate(synthesized):
            _assert_same(value, deployed[index], f"{where}[{index}]")
    else:
        assert deployed == synthesized, where


def test_only_the_execution_role_may_read_the_secrets(report: Report, options: Options) -> None:
    ecs = aws.client("ecs", options, "us-east-1")
    definition = ecs.describe_task_definition(taskDefinition=report["task_definition"])["taskDefinition"]
    for secret in definition["containerDefinitions"][0]["secrets"]:
        arn = ":".join(secret["valueFrom"].split(":")[:7])
        allowed = aws.client("secretsmanager", options, "us-east-1", role=definition["executionRoleArn"])
        assert allowed.get_secret_value(SecretId=arn)["SecretString"]
        refused = aws.client("secretsmanager", options, "us-east-1", role=definition["taskRoleArn"])
        with pytest.raises(ClientError, match="is not authorized to perform: secretsmanager:GetSecretValue"):
            refused.get_secret_value(SecretId=arn)


def test_no_log_holds_a_secret(report: Report, options: Options) -> None:
    secrets_manager = aws.client("secretsmanager", options, "us-east-1")
    arns = [secret["ARN"] for secret in secrets_manager.list_secrets()["SecretList"]]
    texts = [secrets_manager.get_secret_value(SecretId=arn)["SecretString"] for arn in arns]
    secrets = {value for text in texts for name, value in json.loads(text).items() if _is_secret(name)}
    assert report["api_key"] in secrets
    assert len(secrets) == len(arns)
    secrets.add(report["first_key"]["key"])
    logs = {path.name: path.read_text(errors="replace") for path in options.logs.iterdir()}
    assert logs.keys() >= {f"{name}.log" for name in (*CHILDREN, "migrations")}
    assert [name for name, text in logs.items() if any(secret in text for secret in secrets)] == []


def _is_secret(name: str) -> bool:
    """Whether a secret's key holds the secret part: the rest is what an RDS secret says of its database."""
    return name not in {"username", "engine", "host", "port", "dbname", "dbInstanceIdentifier"}


def test_a_second_up_says_that_it_is_up(
    report: Report, local_command: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    result = local_command("up")
    assert result.returncode == 2
    assert "already up" in result.stderr
    assert "make down" in result.stderr


@pytest.fixture(scope="module")
def second_report(up: "subprocess.Popen[str]", report: Report, start_up: Up, options: Options) -> Report:
    """Ctrl-C, and up again."""
    before = _processes(options)
    up.send_signal(signal.SIGINT)
    assert up.wait(timeout=30) == 0
    assert not any(runs(process) for process in before.values())
    assert _open_ports(options) == []
    database = options.state / "postgres" / "18" / "PG_VERSION"
    created = database.stat().st_mtime_ns
    second = _report(start_up(), options)
    assert database.stat().st_mtime_ns == created
    return second


def test_up_again_keeps_the_database_and_the_keys(report: Report, second_report: Report) -> None:
    assert second_report["answers"]["whole"]
    request = urllib.request.Request(
        f"{second_report['url']}/v1/models", headers={"Authorization": f"Bearer {report['first_key']['key']}"}
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=30) as answer:
        assert answer.status == 200


def test_down_cleans_up_after_a_crash(
    second_report: Report, options: Options, local_command: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    children = _processes(options)
    children.pop("up").kill()
    assert children.keys() == CHILDREN
    assert sorted(_open_ports(options)) == sorted(options.ports)

    result = local_command("down")

    assert result.returncode == 0
    assert all(name in result.stderr for name in children)
    assert not any(runs(process) for process in children.values())
    assert _open_ports(options) == []
    assert not options.state.exists()
