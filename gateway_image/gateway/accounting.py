"""From a request that has ended to its row in the ledger."""

import itertools
import os
import secrets

from gateway.ledger.row import UsageRow
from gateway.request_record import RequestRecord

# Of this process: no two have the same, and each numbers its rows.
_PROCESS = secrets.token_hex(10)
_numbers = itertools.count(int.from_bytes(os.urandom(5), "big"))
_AWS_PROVIDERS = frozenset({"bedrock", "sagemaker"})


def row_of(record: RequestRecord, *, own_account: str | None) -> UsageRow | None:
    """The row of a request that was let in; None for any other, which has used nothing.

    own_account: the one in which models are called without a role.
    """
    if record.admitted_at is None or record.caller_id is None or record.operation is None:
        return None
    account = record.account
    if account is None and record.provider in _AWS_PROVIDERS:
        account = own_account
    return UsageRow(
        id=_new_id(),
        admitted_at=record.admitted_at,
        request_id=record.request_id,
        trace_id=record.trace_id,
        caller_id=record.caller_id,
        caller_name=record.caller or "",
        caller_kind=record.caller_kind or "",
        project_id=record.project_id,
        operation=record.operation,
        model=record.model or "",
        model_served=record.model_served,
        deployment=record.deployment,
        provider=record.provider,
        account=account,
        region=record.region,
        status=record.status or 0,
        error_code=record.error_code,
        streamed=bool(record.streamed),
        cached=bool(record.cached),
        attempts=record.attempts or 0,
        input_tokens=record.input_tokens or 0,
        output_tokens=record.output_tokens or 0,
        cache_read_tokens=record.cache_read_tokens or 0,
        cache_write_tokens=record.cache_write_tokens or 0,
        reasoning_tokens=record.reasoning_tokens or 0,
        usage_estimated=bool(record.usage_estimated),
        cost_nano_usd=None if record.unpriced else record.cost_nano_usd or 0,
        latency_ms=record.latency_ms,
        time_to_first_token_ms=record.time_to_first_token_ms,
    )


def _new_id() -> str:
    """A UUID of version 8, whose bits are its maker's own (RFC 9562); quicker than a random one."""
    process, number = _PROCESS, next(_numbers) & 0xFFFFFFFFFF
    return f"{process[:8]}-{process[8:12]}-8{process[12:15]}-8{process[15:18]}-{process[18:20]}{number:010x}"
