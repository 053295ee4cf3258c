"""gatehouse provider-keys: keys go in by stdin, and nothing ever brings them out again."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from shutil import copytree
from typing import Any

import boto3
import pytest

from local.ready import get
from stacks.config import load
from tests.operations.conftest import Run
from tests.operations.dev_standby import SIGN_IN, STANDBY

KEY = "sk-the-key-of-a-provider"
SECRET = "gatehouse/dev/providers/openai"
CATALOG = f"""\
models:
  - name: gpt-5
    deployments:
      - {{name: gpt-5, provider: openai_compatible, base_url: "https://api.openai.com/v1", model: gpt-5,
         api_key_secret: {SECRET}}}
      - {{name: gpt-5-eu, provider: openai_compatible, base_url: "https://eu.api.openai.com/v1", model: gpt-5,
         api_key_secret: {SECRET}}}
      - {{name: gpt-5-azure, provider: openai_compatible, base_url: "https://x.openai.azure.com/openai/v1",
         model: gpt-5, api_key_secret: gatehouse/dev/providers/azure}}
"""


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of an AWS emulator whose account is dev's."""
    folder = tmp_path_factory.mktemp("emulator")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    variables = {
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "MINISTACK_ACCOUNT_ID": "111111111111",
        "TMPDIR": str(folder),
        "DOCKER_HOST": f"unix://{folder}/no-docker",
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
    }
    with (
        (folder / "log").open("wb") as log,
        subprocess.Popen(
            [sys.executable, "-m", "ministack"],
            env={"PATH": os.environ["PATH"], **variables},
            stdout=log,
            stderr=subprocess.STDOUT,
        ) as process,
    ):
        deadline = time.monotonic() + 60
        while get(f"http://127.0.0.1:{port}/_ministack/health") is None:
            assert process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
        process.terminate()


@pytest.fixture
def secrets(emulator: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Secrets Manager as an operator of dev's account has it, without any provider's secret."""
    folder = Path(copytree(load.CONFIG_DIRECTORY, tmp_path / "config"))
    monkeypatch.setattr(load, "CONFIG_DIRECTORY", folder)
    (folder / "models" / "dev.yaml").write_text(CATALOG, encoding="utf-8")
    config = folder / "dev.yaml"
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace("nat: none", "nat: one"), encoding="utf-8")
    for name, value in {
        "AWS_ACCESS_KEY_ID": "111111111111",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_ENDPOINT_URL": emulator,
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    }.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    client = boto3.client("secretsmanager", region_name="us-east-1")
    yield client
    for secret in client.list_secrets()["SecretList"]:
        client.delete_secret(SecretId=secret["ARN"], ForceDeleteWithoutRecovery=True)
    client.close()


def _value(secrets: Any) -> str:
    value: str = secrets.get_secret_value(SecretId=SECRET)["SecretString"]
    return value


def test_a_key_from_stdin_is_stored_and_not_shown(run: Run, secrets: Any) -> None:
    result = run("provider-keys", "set", "openai", input=f"{KEY}\n")
    assert result.exit_code == 0, result.output
    assert _value(secrets) == KEY
    assert KEY not in result.output
    assert "within five minutes" in result.stderr
    assert "gpt-5, gpt-5-eu" in result.stdout


def test_a_new_secret_is_encrypted_with_the_environment_s_key(run: Run, secrets: Any) -> None:
    run("provider-keys", "set", SECRET, input=KEY)
    made = secrets.describe_secret(SecretId=SECRET)
    assert made["KmsKeyId"] == "alias/gatehouse-dev-data"
    assert {tag["Key"]: tag["Value"] for tag in made["Tags"]} == {
        "project": "gatehouse",
        "environment": "dev",
    }


def test_a_new_secret_can_be_read_by_the_gateway_alone(run: Run, secrets: Any) -> None:
    run("provider-keys", "set", SECRET, input=KEY)
    policy = json.loads(secrets.get_resource_policy(SecretId=SECRET)["ResourcePolicy"])
    (statement,) = policy["Statement"]
    assert statement["Effect"] == "Deny"
    assert "secretsmanager:GetSecretValue" in statement["Action"]
    assert statement["Condition"] == {
        "ArnNotEquals": {"aws:PrincipalArn": "arn:aws:iam::111111111111:role/gatehouse-dev-task-us-east-1"}
    }


def _with_standby() -> None:
    file = load.CONFIG_DIRECTORY / "dev.yaml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("identity:\n", SIGN_IN) + STANDBY, encoding="utf-8")


def test_a_secret_is_copied_to_the_standby_s_region_once_and_readable_there(run: Run, secrets: Any) -> None:
    """Also one that was made before there was a standby."""
    run("provider-keys", "set", SECRET, input=KEY)
    _with_standby()
    for key in (KEY, "sk-another"):
        result = run("provider-keys", "set", SECRET, input=key)
        assert result.exit_code == 0, result.output
    made = secrets.describe_secret(SecretId=SECRET)
    assert [(copy["Region"], copy["KmsKeyId"]) for copy in made["ReplicationStatus"]] == [
        ("us-west-2", "alias/gatehouse-dev-data")
    ]
    policy = json.loads(secrets.get_resource_policy(SecretId=SECRET)["ResourcePolicy"])
    role = "arn:aws:iam::111111111111:role/gatehouse-dev-task"
    readers = {"aws:PrincipalArn": [f"{role}-us-east-1", f"{role}-us-west-2"]}
    assert policy["Statement"][0]["Condition"] == {"ArnNotEquals": readers}


def test_another_key_replaces_the_first_and_leaves_the_secret_as_it_is(run: Run, secrets: Any) -> None:
    run("provider-keys", "set", SECRET, input=KEY)
    policy = json.dumps({"Version": "2012-10-17", "Statement": []})
    secrets.put_resource_policy(SecretId=SECRET, ResourcePolicy=policy)
    result = run("provider-keys", "set", "openai", "--json", input="sk-another")
    assert json.loads(result.stdout)["done"] == "replaced"
    assert _value(secrets) == "sk-another"
    assert json.loads(secrets.get_resource_policy(SecretId=SECRET)["ResourcePolicy"])["Statement"] == []


def test_a_secret_without_a_policy_gets_one_before_the_key(run: Run, secrets: Any) -> None:
    """As after an earlier run that was interrupted."""
    secrets.create_secret(Name=SECRET)
    run("provider-keys", "set", SECRET, input=KEY)
    assert "Deny" in secrets.get_resource_policy(SecretId=SECRET)["ResourcePolicy"]


@pytest.mark.parametrize("text", ["", " \n", "two words", "kä", "x" * 4097, "line\nline"])
def test_what_is_no_key_is_refused_and_not_repeated(run: Run, secrets: Any, text: str) -> None:
    result = run("provider-keys", "set", "openai", input=text)
    assert result.exit_code == 2
    assert "printable ASCII" in result.stderr
    assert not text.strip() or text not in result.output
    assert secrets.list_secrets()["SecretList"] == []


def test_there_is_no_argument_for_the_key(run: Run, secrets: Any) -> None:
    assert run("provider-keys", "set", "openai", KEY).exit_code == 2
    assert secrets.list_secrets()["SecretList"] == []


def test_only_secrets_of_the_catalog_are_written(run: Run, secrets: Any) -> None:
    result = run("provider-keys", "set", "opeani", input=KEY)
    assert result.exit_code == 2
    assert "no deployment has its key in 'opeani'" in result.stderr
    assert SECRET in result.stderr


def test_another_account_s_secrets_are_left_alone(
    run: Run, secrets: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "999999999999")
    assert run("provider-keys", "list").exit_code == 2
    result = run("provider-keys", "set", "openai", input=KEY)
    assert result.exit_code == 2
    assert "credentials are of account 999999999999; allowed: 111111111111" in result.stderr.replace(
        "\n", " "
    )


def test_the_list_tells_when_and_never_what(run: Run, secrets: Any) -> None:
    run("provider-keys", "set", "openai", input=KEY)
    result = run("provider-keys", "list", "--json")
    openai, azure = json.loads(result.stdout)
    assert openai["secret"] == SECRET
    assert openai["deployments"] == ["gpt-5", "gpt-5-eu"]
    assert openai["changed_at"] is not None
    assert azure == {
        "secret": "gatehouse/dev/providers/azure",
        "deployments": ["gpt-5-azure"],
        "created_at": None,
        "changed_at": None,
    }
    table = run("provider-keys", "list").stdout
    assert "missing" in table
    assert KEY not in result.output + table


def test_an_aws_that_does_not_answer_is_told(run: Run, secrets: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    result = run("provider-keys", "list")
    assert result.exit_code == 3
    assert "AWS cannot be asked" in result.stderr
