"""Each problem of this machine is one line that names the fix."""

import os
import signal
import socket
import stat
from pathlib import Path

import pytest

from local import preflight
from local.errors import PreconditionError
from local.options import PORT_VARIABLES, STATE_VARIABLE, Options, read_options
from local.processes import record
from local.state import make_state, own_record


def _program(folder: Path, name: str, output: str) -> str:
    program = folder / name
    program.write_text(f"#!/bin/sh\necho {output}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return str(folder)


def test_a_busy_port_names_who_has_it_and_the_variable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        (problem,) = preflight.port_problems("GATEHOUSE_GATEWAY_PORT", port)
    assert problem.startswith(f"port {port} is taken by ")
    assert f"(process {os.getpid()})" in problem
    assert problem.endswith(f"GATEHOUSE_GATEWAY_PORT={port + 1} make up")


def test_a_free_port_is_no_problem() -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    assert list(preflight.port_problems("GATEHOUSE_GATEWAY_PORT", port)) == []


def test_missing_node_names_the_fix(tmp_path: Path) -> None:
    (problem,) = preflight.node_problems(str(tmp_path))
    assert problem == "Node.js 22 or newer is not installed, the CDK needs it; run: make install"


@pytest.mark.parametrize("version", ["v20.20.2", "nonsense", ""])
def test_old_or_broken_node_is_named(tmp_path: Path, version: str) -> None:
    (problem,) = preflight.node_problems(_program(tmp_path, "node", version))
    assert problem.startswith(f"{tmp_path}/node is {version or 'broken'}, the CDK needs Node.js 22 or newer")


@pytest.mark.parametrize("version", ["v22.0.0", "v24.1.0"])
def test_new_node_is_no_problem(tmp_path: Path, version: str) -> None:
    assert list(preflight.node_problems(_program(tmp_path, "node", version))) == []


def test_a_full_disk_says_how_much_is_needed(tmp_path: Path) -> None:
    (problem,) = preflight.disk_problems(tmp_path, 2**60)
    assert "1073741824.0 GiB are needed; free some space" in problem
    assert list(preflight.disk_problems(tmp_path, 1)) == []


def test_an_up_that_runs_is_named(tmp_path: Path) -> None:
    options = Options(state=tmp_path / "state", ports={name: 8080 for name in PORT_VARIABLES})
    make_state(options)
    record(own_record(options), os.getpid(), signal.SIGTERM)
    expected = f"already up as process {os.getpid()}, see http://127.0.0.1:8080; stop it with: make down"
    with pytest.raises(PreconditionError, match=expected):
        preflight.check(options)


def test_leftovers_of_a_crash_are_named(tmp_path: Path) -> None:
    options = Options(state=tmp_path / "state", ports={name: 8080 for name in PORT_VARIABLES})
    make_state(options)
    record(options.run / "valkey.json", os.getpid(), signal.SIGTERM)
    with pytest.raises(PreconditionError, match=r"an earlier run crashed and left valkey running.*make down"):
        preflight.check(options)


def test_options_list_every_wrong_port() -> None:
    environ = {
        "GATEHOUSE_GATEWAY_PORT": "80",
        "GATEHOUSE_CACHE_PORT": "six",
        "GATEHOUSE_BEDROCK_PORT": "5000",
        "GATEHOUSE_EMULATOR_PORT": "5000",
    }
    with pytest.raises(PreconditionError) as caught:
        read_options(environ)
    assert str(caught.value).splitlines() == [
        "GATEHOUSE_GATEWAY_PORT=80: not a port this can use; choose a number from 1024 to 65535",
        "GATEHOUSE_CACHE_PORT=six: not a port this can use; choose a number from 1024 to 65535",
        "GATEHOUSE_EMULATOR_PORT=5000: bedrock has this port too; choose another",
    ]


def test_options_have_defaults(tmp_path: Path) -> None:
    assert read_options({}).url("gateway") == "http://127.0.0.1:8080"
    assert read_options({STATE_VARIABLE: str(tmp_path)}).assembly == tmp_path / "cdk.out" / "dev"
