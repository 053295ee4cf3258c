"""A read replica in another region: PostgreSQL that streams from the primary until it takes its place."""

import shutil
from pathlib import Path

import asyncpg

from local.postgres import BINARIES, run_as_server_user, server_user
from local.throwaway_servers import DATABASE_OWNER, DATABASE_PASSWORD, Postgres, ServerError, free_port

_CONNECT_SECONDS = 2
_PROMOTION_SECONDS = 30


def follow(port: int, folder: Path) -> Postgres:
    """Copy the primary at a port into a new folder and stream from there; it answers reads.

    Raises ServerError.
    """
    folder.mkdir()
    if user := server_user():
        shutil.chown(folder, user)
    copied = run_as_server_user(
        [
            BINARIES / "pg_basebackup",
            f"--dbname=host=127.0.0.1 port={port} user={DATABASE_OWNER} password={DATABASE_PASSWORD}",
            f"--pgdata={folder / 'data'}",
            "--wal-method=stream",
            "--write-recovery-conf",
            "--checkpoint=fast",
            "--no-sync",
            "--no-manifest",
            "--no-verify-checksums",
        ]
    )
    if copied.returncode:
        raise ServerError(f"pg_basebackup failed: {copied.stderr.strip()}")
    replica = Postgres(free_port(), folder)
    replica.start()
    return replica


async def lag_bytes(primary: Postgres, replica: Postgres) -> int:
    """What the primary has written and the replica has not replayed.

    Raises OSError, TimeoutError or asyncpg.PostgresError if one of them is away.
    """
    written = await _ask(primary, "SELECT pg_current_wal_lsn() - '0/0'::pg_lsn")
    replayed = await _ask(replica, "SELECT pg_last_wal_replay_lsn() - '0/0'::pg_lsn")
    return max(int(written - replayed), 0)


async def is_replica(server: Postgres) -> bool:
    """Whether it takes no writes. Raises as `lag_bytes` does."""
    return bool(await _ask(server, "SELECT pg_is_in_recovery()"))


async def promote(replica: Postgres) -> bool:
    """Make a replica the primary; False if it was one already.

    Raises ServerError, or as `lag_bytes` does.
    """
    if not await is_replica(replica):
        return False
    if not await _ask(replica, f"SELECT pg_promote(true, {_PROMOTION_SECONDS})"):
        raise ServerError(f"the replica is not promoted after {_PROMOTION_SECONDS} s")
    return True


async def _ask(server: Postgres, question: str) -> int:
    connection = await asyncpg.connect(server.dsn, timeout=_CONNECT_SECONDS)
    try:
        answer: int = await connection.fetchval(question, timeout=_PROMOTION_SECONDS)
        return answer
    finally:
        await connection.close(timeout=_CONNECT_SECONDS)
