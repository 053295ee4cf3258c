"""TensorZero's gateway, Rust, as its Python package embeds it: its own HTTP server in one process."""

from pathlib import Path

from bench.candidate import Candidate, Program, Surroundings
from bench.load import Target
from bench.peers.installation import pinned, python_environment

_CONFIGURATION = """
[gateway]
observability.enabled = false

[models.bench]
routing = ["mock"]

[models.bench.providers.mock]
type = "openai"
model_name = "bench"
api_base = "{upstream_url}/"
api_key_location = "none"
"""

# The package chooses the port itself, and serves until the object is gone.
_SERVE = """
import pathlib, signal, sys, tensorzero
configuration, port_file = sys.argv[1:]
gateway = tensorzero._start_http_gateway(
    config_file=configuration, clickhouse_url=None, postgres_url=None, valkey_url=None, async_setup=False
)
port = gateway.base_url.rpartition(":")[2].partition("/")[0]
pathlib.Path(port_file + ".new").write_text(port)
pathlib.Path(port_file + ".new").rename(port_file)
signal.sigwait({signal.SIGTERM})
"""


def _interpreter(folder: Path) -> Path:
    return python_environment(folder, "tensorzero", "tensorzero")


def _install(folder: Path) -> str:
    _interpreter(folder)
    version: str = pinned("tensorzero")["version"]
    return version


def _program(surroundings: Surroundings) -> Program:
    configuration = surroundings.scratch / "tensorzero.toml"
    configuration.write_text(_CONFIGURATION.format(upstream_url=surroundings.upstream_url))
    port_file = surroundings.scratch / "port"
    interpreter = str(_interpreter(surroundings.installed))
    return Program(
        command=[interpreter, "-c", _SERVE, str(configuration), str(port_file)],
        target=Target(port=0, path="/openai/v1/chat/completions", model="tensorzero::model_name::bench"),
        port_file=port_file,
    )


TENSORZERO = Candidate(
    name="TensorZero, embedded", duties="routes; no keys, no limits", install=_install, program=_program
)
