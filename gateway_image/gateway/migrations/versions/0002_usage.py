"""The ledger: a row for each answered request, by month, and sums of them by the hour."""

from gateway.migrations.script import run_script

revision = "0002"
down_revision = "0001"

_UP = r"""
CREATE TABLE usage (
    -- Made by the gateway: callers may use a request ID twice.
    id uuid NOT NULL,
    -- When it was counted against limits, by the clock that counts.
    admitted_at timestamptz NOT NULL,
    request_id text NOT NULL,
    trace_id text,
    caller_id text NOT NULL,
    caller_name text NOT NULL,
    caller_kind text NOT NULL,
    project_id text,
    operation text NOT NULL,
    model text NOT NULL,
    model_served text,
    deployment text,
    provider text,
    account text,
    region text,
    status integer NOT NULL,
    error_code text,
    streamed boolean NOT NULL,
    cached boolean NOT NULL,
    attempts integer NOT NULL,
    input_tokens bigint NOT NULL,
    output_tokens bigint NOT NULL,
    cache_read_tokens bigint NOT NULL,
    cache_write_tokens bigint NOT NULL,
    reasoning_tokens bigint NOT NULL,
    usage_estimated boolean NOT NULL,
    -- Null: the deployment has no price. Budgets never admit such a request.
    cost_nano_usd bigint,
    latency_ms double precision,
    time_to_first_token_ms double precision,
    -- In the order in which requests are listed; and new ones come at its end.
    PRIMARY KEY (admitted_at, id)
) PARTITION BY RANGE (admitted_at);
CREATE TABLE usage_default PARTITION OF usage DEFAULT;
CREATE INDEX usage_project ON usage (project_id, admitted_at);
CREATE INDEX usage_caller ON usage (caller_id, admitted_at);
CREATE INDEX usage_request ON usage (request_id);

-- Every dimension is text, '' where there is none, so that the key is unique.
CREATE TABLE usage_hourly (
    hour timestamptz NOT NULL,
    caller_id text NOT NULL,
    project_id text NOT NULL,
    model text NOT NULL,
    model_served text NOT NULL,
    deployment text NOT NULL,
    provider text NOT NULL,
    account text NOT NULL,
    region text NOT NULL,
    operation text NOT NULL,
    caller_name text NOT NULL,
    requests bigint NOT NULL,
    failed_requests bigint NOT NULL,
    cached_requests bigint NOT NULL,
    unpriced_requests bigint NOT NULL,
    input_tokens bigint NOT NULL,
    output_tokens bigint NOT NULL,
    cache_read_tokens bigint NOT NULL,
    cache_write_tokens bigint NOT NULL,
    reasoning_tokens bigint NOT NULL,
    cost_nano_usd bigint NOT NULL,
    latency_ms double precision NOT NULL,
    PRIMARY KEY (
        caller_id, hour, model, project_id, model_served, deployment, provider, account, region, operation
    )
-- Room on each page for the next version of its rows: sums of the current hour change all the time, and no
-- index holds them.
) WITH (fillfactor = 70);
CREATE INDEX usage_hourly_project ON usage_hourly (project_id, hour);
CREATE INDEX usage_hourly_hour ON usage_hourly (hour);

-- For budgets: what was used in a month or ever, without going through years of hours.
CREATE TABLE usage_monthly (
    month timestamptz NOT NULL,
    caller_id text NOT NULL,
    project_id text NOT NULL,
    model text NOT NULL,
    requests bigint NOT NULL,
    input_tokens bigint NOT NULL,
    output_tokens bigint NOT NULL,
    cache_read_tokens bigint NOT NULL,
    cache_write_tokens bigint NOT NULL,
    cost_nano_usd bigint NOT NULL,
    PRIMARY KEY (caller_id, month, model, project_id)
) WITH (fillfactor = 70);
CREATE INDEX usage_monthly_project ON usage_monthly (project_id, month);

-- Rows older than this were dropped; their sums stay. A row from before cannot be told from a new one.
CREATE TABLE usage_retention (
    only_one boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    kept_since timestamptz NOT NULL DEFAULT '0001-01-01 00:00:00+00'
);
INSERT INTO usage_retention DEFAULT VALUES;

-- Both functions run with the rights of their owner: serving processes may not change the schema otherwise.
-- Whoever cannot have the locks at once gives up, so that no request waits behind it, and is called again.

-- Makes the tables of this month and the next two, and returns their names.
CREATE FUNCTION usage_add_months() RETURNS text[]
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp SET timezone = 'UTC' SET lock_timeout = '2s'
AS $$
DECLARE
    made text[] := '{}';
    month timestamptz;
    name text;
BEGIN
    IF NOT pg_try_advisory_xact_lock(1786642434) THEN
        RETURN made;
    END IF;
    FOR ahead IN 0..2 LOOP
        month := date_trunc('month', now()) + make_interval(months => ahead);
        name := 'usage_' || to_char(month, 'YYYY_MM');
        CONTINUE WHEN to_regclass(name) IS NOT NULL;
        -- Rows of that month may be in the default table; none may come while they move.
        LOCK TABLE usage_default IN ACCESS EXCLUSIVE MODE;
        EXECUTE format('CREATE TABLE %I (LIKE usage INCLUDING ALL)', name);
        EXECUTE format(
            'WITH moved AS ('
            '    DELETE FROM usage_default WHERE admitted_at >= %L AND admitted_at < %L RETURNING *'
            ') INSERT INTO %I SELECT * FROM moved',
            month, month + interval '1 month', name
        );
        EXECUTE format(
            'ALTER TABLE usage ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
            name, month, month + interval '1 month'
        );
        made := made || name;
    END LOOP;
    RETURN made;
END $$;

-- Drops the tables of months that ended at least so many months ago, and returns their names.
CREATE FUNCTION usage_drop_months(retention_months integer) RETURNS text[]
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp SET timezone = 'UTC' SET lock_timeout = '2s'
AS $$
DECLARE
    dropped text[] := '{}';
    oldest timestamptz;
    name text;
BEGIN
    IF retention_months < 1 THEN
        RAISE EXCEPTION 'at least one month is kept, not %', retention_months USING ERRCODE = '22023';
    END IF;
    IF NOT pg_try_advisory_xact_lock(1786642434) THEN
        RETURN dropped;
    END IF;
    oldest := date_trunc('month', now()) - make_interval(months => retention_months);
    UPDATE usage_retention SET kept_since = oldest WHERE kept_since < oldest;
    FOR name IN
        SELECT relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
        WHERE inhparent = 'usage'::regclass
            AND relname ~ '^usage_\d{4}_\d{2}$'
            AND relname < 'usage_' || to_char(oldest, 'YYYY_MM')
        ORDER BY relname
    LOOP
        EXECUTE format('DROP TABLE %I', name);
        dropped := dropped || name;
    END LOOP;
    DELETE FROM usage_default WHERE admitted_at < oldest;
    RETURN dropped;
END $$;

SELECT usage_add_months();
"""


def upgrade() -> None:
    """Create the tables."""
    run_script(_UP)
