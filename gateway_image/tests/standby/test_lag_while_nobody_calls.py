"""How far a replica is behind, as RDS measures it: by the age of the last change that it has."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from gateway.database import Database
from local.throwaway_servers import Postgres

pytestmark = pytest.mark.anyio

_CHANGES = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint"


async def test_a_gateway_that_nobody_calls_lets_no_replica_look_as_if_it_were_behind(
    primary: Postgres,
    replica: Postgres,
    make_database: Callable[[Postgres], Database],
    sql: Callable[..., Awaitable[Any]],
    catch_up: Any,
) -> None:
    before = await sql(primary, _CHANGES)
    assert await make_database(primary).ping() == "reachable"
    assert await sql(primary, _CHANGES) > before
    await catch_up(replica)
    assert await sql(replica, _CHANGES) > before
    assert await make_database(replica).ping() == "read_only"
