"""Writes rows of usage, and adds those that are new to the sums."""

from collections.abc import Sequence

import asyncpg

# Of one batch. A table under maintenance or a database that was just restored may be slow.
WRITE_SECONDS = 10

_ROW = """
    id uuid, admitted_at double precision, request_id text, trace_id text, caller_id text, caller_name text,
    caller_kind text, project_id text, operation text, model text, model_served text, deployment text,
    provider text, account text, region text, status integer, error_code text, streamed boolean,
    cached boolean, attempts integer, input_tokens bigint, output_tokens bigint, cache_read_tokens bigint,
    cache_write_tokens bigint, reasoning_tokens bigint, usage_estimated boolean, cost_nano_usd bigint,
    latency_ms double precision, time_to_first_token_ms double precision
"""
_COLUMNS = ", ".join(column.split()[0] for column in _ROW.split(","))
_HOURLY_KEY = (
    "caller_id, hour, model, project_id, model_served, deployment, provider, account, region, operation"
)
_HOURLY_SUMS = (
    "requests",
    "failed_requests",
    "cached_requests",
    "unpriced_requests",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "cost_nano_usd",
    "latency_ms",
)
_MONTHLY_KEY = "caller_id, month, model, project_id"
_MONTHLY_SUMS = (
    "requests",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "cost_nano_usd",
)


def _added(table: str, names: Sequence[str]) -> str:
    return ", ".join(f"{name} = {table}.{name} + excluded.{name}" for name in names)


# Everything happens or nothing does, in one round trip. A row that is there already is neither written nor
# summed, so a batch may be sent again whenever its fate is unknown. Every writer takes its locks in the order
# of these keys, so that writers wait for each other but never in a circle.
# The names are those above, the rows are a parameter.
_STATEMENT = f"""
WITH given AS (
    SELECT * FROM json_to_recordset($1::json) AS row ({_ROW}) ORDER BY id
), added AS (
    INSERT INTO usage ({_COLUMNS})
    SELECT {_COLUMNS.replace("admitted_at", "to_timestamp(admitted_at)")} FROM given
    ON CONFLICT DO NOTHING
    RETURNING *
), hours AS (
    SELECT date_trunc('hour', admitted_at, 'UTC') AS hour,
        caller_id,
        coalesce(project_id, '') AS project_id,
        model,
        coalesce(model_served, '') AS model_served,
        coalesce(deployment, '') AS deployment,
        coalesce(provider, '') AS provider,
        coalesce(account, '') AS account,
        coalesce(region, '') AS region,
        operation,
        max(caller_name) AS caller_name,
        count(*) AS requests,
        count(*) FILTER (WHERE status >= 400) AS failed_requests,
        count(*) FILTER (WHERE cached) AS cached_requests,
        count(*) FILTER (WHERE cost_nano_usd IS NULL) AS unpriced_requests,
        sum(input_tokens)::bigint AS input_tokens,
        sum(output_tokens)::bigint AS output_tokens,
        sum(cache_read_tokens)::bigint AS cache_read_tokens,
        sum(cache_write_tokens)::bigint AS cache_write_tokens,
        sum(reasoning_tokens)::bigint AS reasoning_tokens,
        coalesce(sum(cost_nano_usd), 0)::bigint AS cost_nano_usd,
        coalesce(sum(latency_ms), 0) AS latency_ms
    FROM added
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
), hourly AS (
    INSERT INTO usage_hourly ({_HOURLY_KEY}, caller_name, {", ".join(_HOURLY_SUMS)})
    SELECT {_HOURLY_KEY}, caller_name, {", ".join(_HOURLY_SUMS)} FROM hours
    ORDER BY {_HOURLY_KEY}
    ON CONFLICT ({_HOURLY_KEY}) DO UPDATE
    SET caller_name = excluded.caller_name, {_added("usage_hourly", _HOURLY_SUMS)}
    RETURNING 1
), monthly AS (
    INSERT INTO usage_monthly ({_MONTHLY_KEY}, {", ".join(_MONTHLY_SUMS)})
    SELECT caller_id, date_trunc('month', hour, 'UTC') AS month, model, project_id,
        {", ".join(f"sum({name})::bigint" for name in _MONTHLY_SUMS)}
    FROM hours
    -- Once all the hours are locked.
    WHERE (SELECT count(*) FROM hourly) > 0
    GROUP BY 1, 2, 3, 4
    ORDER BY {_MONTHLY_KEY}
    ON CONFLICT ({_MONTHLY_KEY}) DO UPDATE SET {_added("usage_monthly", _MONTHLY_SUMS)}
)
SELECT count(*) FROM added
"""  # noqa: S608 (names of ours)


async def write_rows(connection: asyncpg.Connection, rows: Sequence[bytes]) -> int:
    """Write encoded UsageRows; returns how many were not there yet. Any error is asyncpg's."""
    batch = b"[" + b",".join(rows) + b"]"
    count: int = await connection.fetchval(_STATEMENT, batch.decode(), timeout=WRITE_SECONDS)
    return count
