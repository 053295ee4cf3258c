"""What the image promises to whoever runs it."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gatehouse.profiles.gatehouse import HEALTH_COMMAND, USER
from gateway import DEFAULT_PORT
from local.container.docker import Docker
from local.container.images import CONTEXT, base_image

LARGEST_IMAGE_BYTES = 200e6
LIST_FILES = """
import json, os, stat

def is_program(path, mode):
    if not (stat.S_ISREG(mode) and mode & 0o111) or path.endswith(".py") or ".so" in path:
        return False
    with open(path, "rb") as file:  # some wheels mark their licences executable
        return file.read(4).startswith((b"\\x7fELF", b"#!"))

files = []
for folder, _, names in os.walk("/"):
    if folder.split("/")[1] in ("proc", "sys", "dev"):
        continue
    for path in (os.path.join(folder, name) for name in names):
        mode = os.lstat(path).st_mode
        files.append({"path": path, "program": is_program(path, mode), "set_id": bool(mode & 0o6000)})
print(json.dumps(files))
"""
LOAD_ALL_MODULES = """
import importlib, pkgutil, warnings

warnings.simplefilter("error")
import gateway

names = [module.name for module in pkgutil.walk_packages(gateway.__path__, "gateway.")]
for name in names:
    if name != "gateway.migrations.env":  # Alembic alone can load it
        importlib.import_module(name)
print(len(names))
"""


@pytest.fixture(scope="module")
def config(docker: Docker, image: str) -> Any:
    return json.loads(docker.run("image", "inspect", "--format", "{{json .Config}}", image))


@pytest.fixture(scope="module")
def files(run_python: Callable[[str], str]) -> Any:
    """Every file of the image: its path, whether it is a program, and whether it runs as its owner."""
    return json.loads(run_python(LIST_FILES))


def test_it_is_small(docker: Docker, image: str) -> None:
    assert int(docker.run("image", "inspect", "--format", "{{.Size}}", image)) <= LARGEST_IMAGE_BYTES


def test_it_runs_the_gateway_as_the_user_of_the_task_definition(config: Any) -> None:
    assert config["Entrypoint"] == ["/opt/gateway/bin/python", "-m", "gateway"]
    assert config["User"].partition(":")[0] == USER
    assert config["ExposedPorts"] == {f"{DEFAULT_PORT}/tcp": {}}
    assert config["StopSignal"] == "SIGTERM"


def test_its_health_check_is_that_of_the_task_definition(config: Any) -> None:
    assert config["Healthcheck"]["Test"] == list(HEALTH_COMMAND)


def test_it_says_what_it_is(config: Any) -> None:
    prefix = "org.opencontainers.image"
    labels = config["Labels"]
    assert labels[f"{prefix}.licenses"] == "Apache-2.0"
    assert labels[f"{prefix}.base.name"] == base_image()


def test_it_keeps_no_configuration_of_its_build(docker: Docker, image: str, config: Any, files: Any) -> None:
    assert {variable.partition("=")[0] for variable in config["Env"]} == {"PATH", "SSL_CERT_FILE"}
    assert not [file for file in files if Path(file["path"]).name == "pip.conf"]
    history = docker.run("history", "--no-trunc", "--format", "{{.CreatedBy}}", image).lower()
    assert not [word for word in ("://", "index-url", "password", "secret") if word in history]


def test_it_holds_no_program_but_python(files: Any) -> None:
    programs = [Path(file["path"]).name for file in files if file["program"]]
    assert len(programs) == 1
    assert programs[0].startswith("python3.")
    assert not [file for file in files if file["set_id"]]


@pytest.mark.parametrize("program", ["/bin/sh", "/bin/bash", "/usr/bin/apt-get", "/usr/bin/dpkg"])
def test_a_shell_or_a_package_manager_cannot_be_started(docker: Docker, image: str, program: str) -> None:
    attempt = docker.attempt("run", "--rm", "--network=none", f"--entrypoint={program}", image)
    assert attempt.returncode == 127
    assert "no such file or directory" in attempt.stderr


def test_pip_is_not_there(run_python: Callable[[str], str]) -> None:
    assert run_python("import importlib.util as u; print(u.find_spec('pip'))") == "None"


def test_it_holds_the_prices_and_the_migrations(run_python: Callable[[str], str]) -> None:
    for package, suffix in (("gateway.prices", ".json"), ("gateway.migrations.versions", ".py")):
        folder = CONTEXT / Path(*package.split("."))
        code = (
            f"from importlib.resources import files; print(*(f.name for f in files({package!r}).iterdir()))"
        )
        expected = {path.name for path in folder.iterdir() if path.suffix == suffix}
        assert expected
        assert expected <= set(run_python(code).split())


def test_scanners_find_the_packages_of_its_libraries(run_python: Callable[[str], str]) -> None:
    status = run_python("print(open('/var/lib/dpkg/status').read())")
    packages = set(re.findall(r"^Package: (.+)$", status, re.MULTILINE))
    assert {"libc6", "zlib1g", "ca-certificates"} <= packages
    assert any(package.startswith("libssl") for package in packages)
    assert not {"apt", "bash", "dash", "dpkg", "perl-base"} & packages


def test_it_trusts_public_certificate_authorities(run_python: Callable[[str], str]) -> None:
    code = "import ssl; print(ssl.create_default_context().cert_store_stats()['x509_ca'])"
    assert int(run_python(code)) > 100


def test_every_module_loads_without_a_warning(run_python: Callable[[str], str]) -> None:
    # The gateway's own tests may run on another interpreter, which still has what this one has lost.
    sources = list((CONTEXT / "gateway").rglob("*.py"))
    # The package itself is none of its modules.
    assert int(run_python(LOAD_ALL_MODULES)) == len(sources) - 1


def test_every_module_is_compiled(run_python: Callable[[str], str], files: Any) -> None:
    tag = run_python("import sys; print(sys.implementation.cache_tag)")
    paths = {Path(file["path"]) for file in files}
    sources = [path for path in paths if path.suffix == ".py"]
    assert len(sources) > 500
    assert not [s for s in sources if s.parent / "__pycache__" / f"{s.stem}.{tag}.pyc" not in paths]
