"""LiteLLM's proxy with keys, a limit for each key and Valkey for the counters."""

import json
from pathlib import Path

from bench.candidate import Candidate, Program, Surroundings
from bench.load import Target
from bench.peers.installation import pinned, python_environment
from bench.processes import free_port

_KEY = "sk-key-of-the-benchmark"
_UNREACHED = 1_000_000_000
# Without a database it keeps no keys; this is its documented way to bring one's own.
_AUTHENTICATION = f"""
from litellm.proxy._types import UserAPIKeyAuth

async def authenticate(request, api_key):
    if api_key != {_KEY!r}:
        raise Exception("unknown key")
    return UserAPIKeyAuth(api_key=api_key, rpm_limit={_UNREACHED}, tpm_limit={_UNREACHED})
"""


def _configuration(surroundings: Surroundings) -> dict[str, object]:
    cache = {
        "host": "127.0.0.1",
        "port": surroundings.cache_port,
        "password": surroundings.cache_password,
    }
    provider = {
        "model": "openai/bench",
        "api_base": surroundings.upstream_url,
        "api_key": "none",
    }
    return {
        "model_list": [{"model_name": "bench", "litellm_params": provider}],
        "general_settings": {
            "master_key": "sk-master-key-of-the-benchmark",
            "custom_auth": "authentication.authenticate",
            "coordination_redis": cache,
        },
    }


def _interpreter(folder: Path) -> Path:
    return python_environment(folder, "litellm", "litellm[proxy]")


def _install(folder: Path) -> str:
    _interpreter(folder)
    version: str = pinned("litellm")["version"]
    return version


def _program(surroundings: Surroundings) -> Program:
    port = free_port()
    # JSON is YAML.
    configuration = surroundings.scratch / "configuration.yaml"
    configuration.write_text(json.dumps(_configuration(surroundings)))
    (surroundings.scratch / "authentication.py").write_text(_AUTHENTICATION)
    server = str(_interpreter(surroundings.installed).with_name("litellm"))
    listen = ["--host", "127.0.0.1", "--port", str(port), "--telemetry", "False"]
    return Program(
        command=[server, "--config", str(configuration), *listen],
        environment={
            "HOME": str(surroundings.scratch),
            # Else it asks the network for prices when it starts.
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "LITELLM_LOG": "ERROR",
        },
        target=Target(port=port, headers={"authorization": f"Bearer {_KEY}"}),
    )


LITELLM = Candidate(
    name="LiteLLM proxy",
    duties="keys, limits in Valkey",
    install=_install,
    program=_program,
    uses_cache=True,
)
