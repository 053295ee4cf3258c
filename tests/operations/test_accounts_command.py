"""gatehouse accounts: a catalog's accounts, told, added to its file, and called."""

import json
from collections.abc import Iterator
from pathlib import Path
from shutil import copytree

import pytest

from gateway.catalog import BedrockDeployment
from local.bedrock_simulator.faults import RoleRefused
from local.bedrock_simulator.process import RunningSimulator, start
from stacks.config import load
from stacks.config.model_places import external_id
from tests.operations.conftest import Run
from tests.operations.dev_standby import SIGN_IN, STANDBY

ACCOUNT = "222222222222"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/gatehouse-dev-models"
SCENARIO = """
unknown_access_keys: reject
accounts:
  - id: "111111111111"
    access_keys: {AKIDOPERATOR: its-secret}
  - id: "222222222222"
    roles: [{name: gatehouse-dev-models, external_id: gatehouse-dev-111111111111}]
    denied_models: [amazon.nova-pro-v1:0]
"""
CATALOG = """\
models:
  # What most callers use.
  - name: claude-haiku-4-5
    max_output_tokens: 4096 # enough
    deployments:
      - name: claude-haiku-4-5-us
        provider: bedrock
        region: us-east-1
        model_id: us.anthropic.claude-haiku-4-5-20251001-v1:0
        weight: 2 # nearer
        capacity: {requests_per_minute: 500}
        time_limits:
          first_byte_seconds: 15
      - name: claude-haiku-4-5-global
        provider: bedrock
        region: us-east-1
        model_id: global.anthropic.claude-haiku-4-5-20251001-v1:0
        tier: 1
    # Behind the deployments of a model.
    max_attempts: 3

  # Without a profile.
  - name: titan-embed-text-v2
    deployments:
      - name: titan
        provider: bedrock
        region: us-east-1
        model_id: amazon.titan-embed-text-v2:0
"""


@pytest.fixture
def catalog_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The catalog of an environment `dev` that these tests may change."""
    folder = Path(copytree(load.CONFIG_DIRECTORY, tmp_path / "config"))
    monkeypatch.setattr(load, "CONFIG_DIRECTORY", folder)
    file = folder / "models" / "dev.yaml"
    file.write_text(CATALOG, encoding="utf-8")
    # A deployment in another region needs a way there.
    config = folder / "dev.yaml"
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace("nat: none", "nat: one"), encoding="utf-8")
    return file


def _add(run: Run, *arguments: str, code: int = 0) -> dict[str, object]:
    result = run("accounts", "add", ACCOUNT, *arguments, "--json")
    assert result.exit_code == code, result.output
    found: dict[str, object] = json.loads(result.stdout) if code == 0 else {"error": result.stderr}
    return found


def test_an_account_gets_a_deployment_of_every_model_behind_those_that_are_there(
    run: Run, catalog_file: Path
) -> None:
    added = _add(run, "--region", "us-west-2", "--write")
    assert added["deployments"] == [
        "claude-haiku-4-5-222222222222-us-west-2",
        "titan-embed-text-v2-222222222222-us-west-2",
    ]
    new = {
        "        tier: 1\n": f"""\
      - name: claude-haiku-4-5-{ACCOUNT}-us-west-2
        provider: bedrock
        region: us-west-2
        model_id: us.anthropic.claude-haiku-4-5-20251001-v1:0
        role_arn: {ROLE}
        weight: 2
        capacity: {{requests_per_minute: 500}}
        time_limits: {{first_byte_seconds: 15}}
""",
        "        model_id: amazon.titan-embed-text-v2:0\n": f"""\
      - name: titan-embed-text-v2-{ACCOUNT}-us-west-2
        provider: bedrock
        region: us-west-2
        model_id: amazon.titan-embed-text-v2:0
        role_arn: {ROLE}
""",
    }
    expected = CATALOG
    for before, block in new.items():
        expected = expected.replace(before, before + block)
    assert catalog_file.read_text(encoding="utf-8") == expected


def test_nothing_is_written_unless_that_is_asked_for(run: Run, catalog_file: Path) -> None:
    result = run("accounts", "add", ACCOUNT, "--region", "us-west-2")
    assert "+      - name: claude-haiku-4-5-222222222222-us-west-2" in result.stdout
    assert "run it again with --write" in result.stdout
    assert catalog_file.read_text(encoding="utf-8") == CATALOG


def test_what_is_there_already_is_not_added_again(run: Run, catalog_file: Path) -> None:
    _add(run, "--region", "us-west-2", "--model", "claude-haiku-4-5", "--write")
    once = catalog_file.read_text(encoding="utf-8")
    again = _add(run, "--region", "us-west-2", "--model", "claude-haiku-4-5", "--write")
    assert (again["deployments"], again["written"]) == ([], False)
    assert catalog_file.read_text(encoding="utf-8") == once


def test_the_next_commands_are_told_in_their_order(run: Run, catalog_file: Path) -> None:
    told = _add(run, "--region", "us-west-2")["next"]
    assert isinstance(told, list)
    bootstrap, deploy, check, service = told
    assert "cdk bootstrap aws://222222222222/us-east-1 aws://222222222222/us-west-2 " in bootstrap
    assert (
        "gatehouse-dev/ModelAccess-222222222222-us-east-1 gatehouse-dev/ModelAccess-222222222222-us-west-2 "
        in deploy
    )
    assert check == "gatehouse accounts check 222222222222 --environment dev"
    assert "gatehouse-dev/Service" in service


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("--region", "us-gov-west-1"), "claude-haiku-4-5 cannot be called from us-gov-west-1"),
        (("--region", "us-west-2", "--model", "gpt"), "no model 'gpt' on Bedrock; known: claude-haiku-4-5"),
        (("--region", "us-west-2", "--role", "no role"), "allowed: the ARN of an IAM role"),
    ],
)
def test_what_would_be_wrong_is_told_and_not_written(
    run: Run, catalog_file: Path, arguments: tuple[str, ...], problem: str
) -> None:
    error = _add(run, *arguments, "--write", code=2)["error"]
    assert problem in str(error).replace("\n", " ")
    assert catalog_file.read_text(encoding="utf-8") == CATALOG


def test_the_own_account_needs_no_role(run: Run, catalog_file: Path) -> None:
    result = run("accounts", "add", "111111111111", "--region", "us-east-1")
    assert result.exit_code == 2
    assert "own account, whose models need no role" in result.stderr


def test_a_profile_of_several_scopes_is_chosen_by_the_region(run: Run, catalog_file: Path) -> None:
    """us. cannot be called from Europe, global. can, although it is in a higher tier."""
    text = CATALOG.replace("  # Without a profile.\n", "").partition("  - name: titan")[0]
    catalog_file.write_text(text, encoding="utf-8")
    result = run("accounts", "add", ACCOUNT, "--region", "eu-west-1")
    assert "+        model_id: global.anthropic" in result.stdout, result.output


@pytest.mark.parametrize(
    "account", ["22222222222", "2222222222222", "22222222222x", "２２２２２２２２２２２２"]
)
def test_an_account_is_twelve_digits(run: Run, catalog_file: Path, account: str) -> None:
    result = run("accounts", "add", account, "--region", "us-west-2")
    assert result.exit_code == 2


def test_accounts_are_listed_with_their_roles_and_stacks(run: Run, catalog_file: Path) -> None:
    _add(run, "--region", "us-west-2", "--model", "titan-embed-text-v2", "--write")
    found = json.loads(run("accounts", "list", "--json").stdout)
    assert [(each["account"], each["region"], each["role_arn"]) for each in found] == [
        ("111111111111", "us-east-1", None),
        (ACCOUNT, "us-east-1", ROLE),
        (ACCOUNT, "us-west-2", ROLE),
    ]
    assert [each["deployments"] for each in found[1:]] == [[], ["titan-embed-text-v2-222222222222-us-west-2"]]
    assert found[1]["stack"] == "gatehouse-dev/ModelAccess-222222222222-us-east-1"
    assert found[2]["stack"] == "gatehouse-dev/ModelAccess-222222222222-us-west-2"
    table = run("accounts", "list").stdout
    assert "the gateway's own" in table
    assert "gatehouse-dev-models" in table


@pytest.fixture(scope="module")
def simulator_process() -> Iterator[RunningSimulator]:
    with start(SCENARIO) as running:
        yield running


@pytest.fixture
def aws(simulator_process: RunningSimulator, monkeypatch: pytest.MonkeyPatch) -> RunningSimulator:
    """An operator's shell, whose AWS is the simulator."""
    simulator_process.control.reset()
    for name, value in {
        "AWS_ACCESS_KEY_ID": "AKIDOPERATOR",
        "AWS_SECRET_ACCESS_KEY": "its-secret",
        "AWS_ENDPOINT_URL": simulator_process.url,
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    }.items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    return simulator_process


def _check(run: Run, *arguments: str, code: int = 0) -> dict[str, dict[str, str]]:
    result = run("accounts", "check", *arguments, "--json")
    assert result.exit_code == code, result.output
    return {each["deployment"]: each for each in json.loads(result.stdout)}


def test_every_deployment_is_called_as_its_role_with_external_id_and_tags(
    run: Run, catalog_file: Path, aws: RunningSimulator
) -> None:
    _add(run, "--region", "us-west-2", "--write")
    checked = _check(run)
    assert {each["state"] for each in checked.values()} == {"ok"}
    assert len(checked) == 5

    calls = aws.control.calls()
    assert sum(call.operation == "AssumeRole" for call in calls) == 1
    called = {(call.account, call.region, call.operation) for call in calls}
    assert {
        ("111111111111", "us-east-1", "Converse"),
        ("111111111111", "us-east-1", "CountTokens"),
        (ACCOUNT, "us-west-2", "Converse"),
        (ACCOUNT, "us-west-2", "CountTokens"),
        (ACCOUNT, "us-west-2", "InvokeModel"),
    } <= called
    assumed = [call for call in calls if call.account == ACCOUNT]
    assert {tuple(call.session_tags.items()) for call in assumed} == {
        (("project", "gatehouse"), ("environment", "dev"))
    }


def test_one_account_can_be_checked_alone(run: Run, catalog_file: Path, aws: RunningSimulator) -> None:
    _add(run, "--region", "us-west-2", "--model", "titan-embed-text-v2", "--write")
    assert _check(run, ACCOUNT).keys() == {"titan-embed-text-v2-222222222222-us-west-2"}
    result = run("accounts", "check", "333333333333")
    assert result.exit_code == 2
    assert "no deployment of dev is in 333333333333" in result.stderr


def test_what_the_standby_s_gateways_would_call_is_listed_and_called_as_well(
    run: Run, catalog_file: Path, aws: RunningSimulator
) -> None:
    file = catalog_file.parent.parent / "dev.yaml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("identity:\n", SIGN_IN) + STANDBY, encoding="utf-8")
    listed = json.loads(run("accounts", "list", "--json").stdout)
    assert [(each["region"], each["deployments"]) for each in listed] == [
        (region, ["claude-haiku-4-5-us", "claude-haiku-4-5-global", "titan"])
        for region in ("us-east-1", "us-west-2")
    ]
    assert run("accounts", "check").exit_code == 0
    called = {(call.region, call.operation) for call in aws.control.calls()}
    assert {("us-east-1", "Converse"), ("us-west-2", "Converse"), ("us-west-2", "InvokeModel")} <= called


def test_a_role_that_cannot_be_assumed_fails_its_deployments_and_no_others(
    run: Run, catalog_file: Path, aws: RunningSimulator
) -> None:
    _add(run, "--region", "us-west-2", "--role", "unknown", "--write")
    checked = _check(run, code=1)
    failed = {name: each for name, each in checked.items() if each["state"] == "failed"}
    assert {each["account"] for each in failed.values()} == {ACCOUNT}
    assert {each["step"] for each in failed.values()} == {"AssumeRole"}
    (problem,) = {each["problem"] for each in failed.values()}
    assert problem.startswith("AccessDenied: ")
    (fix,) = {each["fix"] for each in failed.values()}
    assert "model_access.checked_by" in fix
    assert checked["titan"]["state"] == "ok"


def test_another_external_id_is_refused(run: Run, catalog_file: Path, aws: RunningSimulator) -> None:
    config = catalog_file.parent.parent / "dev.yaml"
    with config.open("a", encoding="utf-8") as file:
        file.write("\nmodel_access: {external_id: another}\n")
    _add(run, "--region", "us-west-2", "--write")
    checked = _check(run, ACCOUNT, code=1)
    assert {each["step"] for each in checked.values()} == {"AssumeRole"}


@pytest.mark.parametrize(
    ("model_id", "region", "problem", "fix"),
    [
        ("us.amazon.nova-pro-v1:0", "us-east-1", "AccessDeniedException", "subscribes the account"),
        ("amazon.unknown-v1:0", "us-east-1", "ValidationException", "another model_id"),
    ],
)
def test_what_a_model_lacks_is_told_with_what_to_do(
    run: Run,
    catalog_file: Path,
    aws: RunningSimulator,
    model_id: str,
    region: str,
    problem: str,
    fix: str,
) -> None:
    deployment = f"name: d, provider: bedrock, region: {region}, model_id: '{model_id}', role_arn: '{ROLE}'"
    catalog = f"models:\n  - name: m\n    deployments:\n      - {{{deployment}}}\n"
    catalog_file.write_text(catalog, encoding="utf-8")
    checked = _check(run, code=1)["d"]
    assert (checked["state"], checked["step"]) == ("failed", "Converse")
    assert checked["problem"].startswith(problem)
    assert fix in checked["fix"]


def test_a_busy_sts_is_asked_again(run: Run, catalog_file: Path, aws: RunningSimulator) -> None:
    _add(run, "--region", "us-west-2", "--model", "titan-embed-text-v2", "--write")
    aws.control.add_fault(RoleRefused(error="Throttling", times=1))
    assert {each["state"] for each in _check(run, ACCOUNT).values()} == {"ok"}


def test_a_shell_that_is_not_signed_in_is_told_so_for_every_deployment(
    run: Run, catalog_file: Path, aws: RunningSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    _add(run, "--region", "us-west-2", "--write")
    checked = _check(run, code=1)
    assert {each["problem"] for each in checked.values()} == {"Unable to locate credentials"}
    (fix,) = {each["fix"] for each in checked.values()}
    assert fix.startswith("sign in to AWS")


def test_people_see_a_table_and_the_number_of_failures(
    run: Run, catalog_file: Path, aws: RunningSimulator
) -> None:
    _add(run, "--region", "us-west-2", "--role", "unknown", "--write")
    result = run("accounts", "check")
    assert result.exit_code == 1
    assert "2 of 5 deployments do not answer" in result.stderr
    assert "AssumeRole" in result.stdout


def test_the_external_id_of_the_simulator_is_that_of_dev(catalog_file: Path) -> None:
    config, catalog = load.load_configuration("dev", load.CONFIG_DIRECTORY)
    assert f"external_id: {external_id(config)}" in SCENARIO
    assert isinstance(catalog.models[0].deployments[0], BedrockDeployment)
