import signal
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from operations.__main__ import gatehouse
from operations.commands import shared_options
from tests.operations.conftest import ADMIN_KEY, KEY, PROJECT, AdminStandIn, Reply, Run, RunProcess, error

ROOT = Path(__file__).resolve().parents[2]


def _commands(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    if not isinstance(command, click.Group) or command.invoke_without_command:
        yield name, command
    if isinstance(command, click.Group):
        for sub_name, sub_command in command.commands.items():
            yield from _commands(sub_command, f"{name} {sub_name}")


COMMANDS = dict(_commands(gatehouse, "gatehouse"))


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_every_command_has_an_example_of_it(run: Run, name: str) -> None:
    result = run(*name.split()[1:], "--help")
    assert result.exit_code == 0
    assert f"  {name}" in result.stdout.partition("Examples:")[2] or "completion" in name
    if "completion" not in name:
        assert "--json" in result.stdout
    assert "Usage: gatehouse" in result.stdout


def test_commands_that_ask_no_gateway_want_none(run: Run) -> None:
    assert "--endpoint" in run("projects", "list", "--help").stdout
    for command in ("accounts list", "provider-keys list", "stacks", "cost", "compliance", "manifests"):
        assert "--endpoint" not in run(*command.split(), "--help").stdout


def test_the_help_tells_the_exit_codes_and_why_the_key_is_no_option(run: Run) -> None:
    shown = run("--help").stdout
    for text in ("Exit codes", "neither the gateway nor AWS answered", "list of processes", "key_command"):
        assert " ".join(text.split()) in " ".join(shown.split())


def test_no_option_takes_a_key() -> None:
    names = {name for option in shared_options() for name in option.opts}
    assert names == {"--endpoint", "--key-file", "--profile", "--timeout", "--ca-file", "--json"}
    assert all(
        "--key" not in parameter.opts
        for name, command in COMMANDS.items()
        if "limits" not in name and "audit" not in name
        for parameter in command.params
    )


def test_help_loads_neither_the_client_nor_the_gateway() -> None:
    code = (
        "import sys, operations.__main__ as m; m.gatehouse.main(['--help'], standalone_mode=False);"
        "print([name for name in ('httpx', 'rich', 'pydantic', 'gateway', 'ssl') if name in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.splitlines()[-1] == "[]"


def test_the_program_is_installed_under_its_name() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["project"]["scripts"]["gatehouse"] == "operations.__main__:main"


def test_shared_options_may_stand_before_the_command_or_behind_it(admin: AdminStandIn, run: Run) -> None:
    admin.pages_of("/projects", PROJECT)
    variables = {"GATEHOUSE_ENDPOINT": "http://127.0.0.1:1"}
    for arguments in (
        ["--endpoint", admin.url, "--json", "projects", "list"],
        ["projects", "list", "--endpoint", admin.url, "--json"],
        ["--endpoint", "http://127.0.0.1:2", "projects", "list", "--endpoint", admin.url, "--json"],
    ):
        result = run(*arguments, **variables)
        assert result.exit_code == 0, result.stderr
        assert result.stdout.startswith("[")


def test_a_key_may_come_by_a_pipe(admin: AdminStandIn, run: Run, tmp_path: Path) -> None:
    admin.pages_of("/projects", PROJECT)
    assert run("projects", "list", "--key-file", "-", input="gh_piped\n").exit_code == 0
    file = tmp_path / "key"
    file.write_text("gh_of-a-file")
    assert run("projects", "list", "--key-file", str(file)).exit_code == 0
    assert [asked.headers["authorization"] for asked in admin.asked] == [
        "Bearer gh_piped",
        "Bearer gh_of-a-file",
    ]


@pytest.mark.parametrize(
    ("arguments", "variables", "code"),
    [
        (["projects", "list"], {}, 0),
        (["projects", "show", PROJECT["id"]], {}, 1),
        (["projects", "lst"], {}, 2),
        (["projects", "list"], {"GATEHOUSE_ENDPOINT": "http://api.example.com"}, 2),
        (["projects", "list"], {"GATEHOUSE_KEY": ""}, 2),
        (["--profile", "prod", "projects", "list"], {}, 2),
        (["projects", "list", "--timeout", "0.1"], {"GATEHOUSE_ENDPOINT": "http://127.0.0.1:1"}, 3),
    ],
)
def test_exit_codes(
    admin: AdminStandIn, run_process: RunProcess, arguments: list[str], variables: dict[str, str], code: int
) -> None:
    admin.pages_of("/projects", PROJECT)
    admin.on("GET", f"/projects/{PROJECT['id']}", error(404, "There is no project."))
    finished = run_process(*arguments, **variables)
    assert finished.returncode == code, finished.stderr
    assert bool(finished.stderr) == bool(code)
    assert bool(finished.stdout) == (not code)


def test_an_interrupt_says_what_is_not_known(environ: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as deaf:
        environ["GATEHOUSE_ENDPOINT"] = f"http://127.0.0.1:{deaf.getsockname()[1]}"
        command = subprocess.Popen(
            [sys.executable, "-m", "operations", "projects", "create", "search"],
            env=environ,
            stderr=subprocess.PIPE,
            text=True,
            # Tests that run in the background of a shell inherit that interrupts are ignored.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        connection, _ = deaf.accept()
        with connection:
            connection.recv(1)  # it has sent the change and waits for the answer
            command.send_signal(signal.SIGINT)
            said = command.communicate()[1]
    assert command.returncode == 130
    assert "a change that was under way may have been made" in said
    assert "Traceback" not in said


def test_a_reader_that_has_had_enough_ends_the_command_quietly(
    admin: AdminStandIn, environ: dict[str, str]
) -> None:
    admin.pages_of("/projects", *[PROJECT] * 5000)
    command = subprocess.Popen(
        [sys.executable, "-m", "operations", "projects", "list", "--json"],
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert command.stdout is not None
    assert command.stderr is not None
    command.stdout.readline()
    command.stdout.close()
    assert command.stderr.read() == b""
    command.stderr.close()
    command.wait()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(run: Run, shell: str) -> None:
    script = run("completion", shell).stdout
    assert "_GATEHOUSE_COMPLETE" in script
    if shell == "bash":
        subprocess.run(["bash", "-n"], input=script, text=True, check=True)


def _complete(run: Run, *words: str, **variables: str) -> list[str]:
    line = " ".join(["gatehouse", *words])
    asked = {"_GATEHOUSE_COMPLETE": "bash_complete", "COMP_WORDS": line, "COMP_CWORD": str(len(words))}
    result = run(**asked, **variables)
    assert result.stderr == ""
    return [line.partition(",")[2] for line in result.stdout.splitlines() if line]


def test_a_shell_asks_the_program_itself(run_process: RunProcess) -> None:
    asked = {"_GATEHOUSE_COMPLETE": "bash_complete", "COMP_WORDS": "gatehouse pro", "COMP_CWORD": "1"}
    assert run_process(**asked).stdout == "plain,projects\nplain,protect\nplain,provider-keys\n"


def test_names_and_ids_are_completed(admin: AdminStandIn, run: Run) -> None:
    evil = {**PROJECT, "name": "search $(touch /tmp/x)"}
    admin.pages_of("/projects", PROJECT, evil, {**PROJECT, "name": "ads"})
    admin.pages_of("/keys", KEY)
    assert _complete(run, "proj") == ["projects"]
    assert _complete(run, "projects", "show", "sea") == ["search"]
    assert _complete(run, "keys", "revoke", "key_") == [KEY["id"]]
    assert _complete(run, "keys", "list", "--project", "a") == ["ads"]
    assert _complete(run, "limits", "set", "--project", "ads", "usd_per_d") == ["usd_per_day="]


def test_completion_is_silent_if_the_gateway_does_not_answer(admin: AdminStandIn, run: Run) -> None:
    for reply in (
        error(401, "no"),
        Reply("<html>", content_type="text/html"),
        Reply({"something": "else"}),
        Reply([]),
        Reply({"data": [1], "has_more": False, "next": None}),
    ):
        admin.on("GET", "/projects", reply)
        assert _complete(run, "projects", "show", "s") == []
    assert _complete(run, "projects", "show", "s", GATEHOUSE_ENDPOINT="http://127.0.0.1:1") == []
    assert _complete(run, "projects", "show", "s", GATEHOUSE_KEY="") == []
    assert _complete(run, "projects", "show", "s", GATEHOUSE_PROFILE="none") == []


def test_the_catalog_and_its_deployments(admin: AdminStandIn, run: Run) -> None:
    deployment = {
        "name": "sonnet-use1",
        "provider": "bedrock",
        "region": "us-east-1",
        "tier": 0,
        "weight": 3,
        "configuration": {},
        "price": {"input_usd": 3.0, "output_usd": 15.0, "source": "list", "date": "2026-11-01"},
    }
    unpriced = {**deployment, "name": "own-vllm", "region": None, "price": None}
    admin.on("GET", "/models", {"data": [{"name": "sonnet", "deployments": [deployment, unpriced]}]})
    shown = run("models").stdout
    assert ["sonnet", "sonnet-use1", "us-east-1", "3.00", "15.00", "0", "3", "bedrock"] in [
        line.split() for line in shown.splitlines()
    ]
    assert ["own-vllm", "-", "-", "-", "0", "3", "bedrock"] in [line.split() for line in shown.splitlines()]
    standing = {
        "model": "sonnet",
        "name": "sonnet-use1",
        "provider": "bedrock",
        "region": "us-east-1",
        "state": "cooling",
        "cooling_until": "2026-11-21T09:31:12Z",
        "cause": "throttled",
        "failures": 2,
        "last_error_code": "rate_limit_exceeded",
        "in_flight": 3,
        "latency_seconds": 1.234,
        "time_to_first_token_seconds": None,
        "error_rate": 0.25,
    }
    admin.on("GET", "/deployments", {"data": [standing]})
    shown = run("deployments").stdout
    for text in ("cooling", "09:31:12Z throttled", "25%", "1.23 s", "rate_limit_exceeded"):
        assert text in shown
    assert ADMIN_KEY not in shown
