"""Our gateway as it is measured: keys, limits, the ledger, routing, metrics and the JSON log on."""

import json
import sys
from pathlib import Path

from bench.candidate import Candidate, Program, Surroundings
from bench.load import Target
from bench.processes import REPOSITORY, free_port, free_ports
from gateway.settings import variable
from local.throwaway_servers import DATABASE, DATABASE_OWNER, DATABASE_PASSWORD

_KEY = "key-of-the-benchmark-0123456789abcdef"
# High enough that nothing is refused, low enough that each request asks Valkey.
_UNREACHED_PER_MINUTE = 100_000_000


def _openai(surroundings: Surroundings) -> dict[str, object]:
    return {"provider": "openai_compatible", "base_url": surroundings.upstream_url, "model": "bench"}


def _bedrock(_: Surroundings) -> dict[str, object]:
    return {"provider": "bedrock", "region": "us-east-1", "model_id": "us.amazon.nova-lite-v1:0"}


def _catalog(deployment: dict[str, object]) -> dict[str, object]:
    capacity = {"requests_per_minute": _UNREACHED_PER_MINUTE}
    return {
        "models": [
            {
                "name": "bench",
                "max_output_tokens": 1000,
                "deployments": [{"name": "bench", "capacity": capacity, **deployment}],
            }
        ]
    }


def _program(surroundings: Surroundings, deployment: dict[str, object], workers: int) -> Program:
    port = free_port()
    catalog = surroundings.scratch / "models.json"
    catalog.write_text(json.dumps(_catalog(deployment)))
    # The load is more than the process can do, on purpose: normal callers would be turned away.
    caller = {"key": _KEY, "limits": {"requests_per_minute": _UNREACHED_PER_MINUTE}, "priority": "high"}
    settings = {
        "environment": "bench",
        "region": "us-east-1",
        "models_source": catalog.as_uri(),
        "api_keys": json.dumps({"bench": caller}),
        "cache_host": "127.0.0.1",
        "cache_port": str(surroundings.cache_port),
        "cache_tls": "false",
        "cache_username": "default",
        "cache_password": surroundings.cache_password,
        "database_host": "127.0.0.1",
        "database_port": str(surroundings.database_port),
        "database_tls": "false",
        "database_name": DATABASE,
        "database_username": DATABASE_OWNER,
        "database_password": DATABASE_PASSWORD,
        "key_hashing_secret": "hashing-secret-of-the-bench-0123456789",
        "host": "127.0.0.1",
        "port": str(port),
        # Each worker has the next one.
        "metrics_port": str(free_ports(workers)),
        "workers": str(workers),
        "lame_duck_seconds": "0",
        "bedrock_endpoint_url": surroundings.bedrock_url,
    }
    credentials = {"AWS_ACCESS_KEY_ID": "AKIDBENCH", "AWS_SECRET_ACCESS_KEY": "none"}
    return Program(
        command=[sys.executable, "-m", "gateway"],
        environment={variable(name): value for name, value in settings.items()} | credentials,
        target=Target(port=port, headers={"authorization": f"Bearer {_KEY}"}),
    )


def _version(_: Path) -> str:
    pyproject = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    return pyproject.partition('\nversion = "')[2].partition('"')[0]


def gatehouse(*, workers: int = 1) -> Candidate:
    """Our gateway in front of an OpenAI-compatible provider."""
    return Candidate(
        name="Gatehouse",
        duties="keys, limits in Valkey, a ledger in PostgreSQL, routing, metrics, log",
        install=_version,
        program=lambda surroundings: _program(surroundings, _openai(surroundings), workers),
        uses_cache=True,
    )


def gatehouse_on_bedrock() -> Candidate:
    """Our gateway in front of Bedrock's Converse, which translates and signs each request."""
    return Candidate(
        name="Gatehouse to Bedrock",
        duties="the same, and translates to Converse",
        install=_version,
        program=lambda surroundings: _program(surroundings, _bedrock(surroundings), 1),
        uses_cache=True,
    )
