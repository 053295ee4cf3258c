"""One request as the ledger keeps it."""

import msgspec


class UsageRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the table `usage`, field by field; migrations/versions/0002_usage.py says what each holds.

    id: a UUID as text. admitted_at: Unix time in seconds.
    """

    id: str
    admitted_at: float
    request_id: str
    trace_id: str | None
    caller_id: str
    caller_name: str
    caller_kind: str
    project_id: str | None
    operation: str
    model: str
    model_served: str | None
    deployment: str | None
    provider: str | None
    account: str | None
    region: str | None
    status: int
    error_code: str | None
    streamed: bool
    cached: bool
    attempts: int
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    usage_estimated: bool
    cost_nano_usd: int | None
    latency_ms: float | None
    time_to_first_token_ms: float | None
