"""What is known of one request when it has ended: the source of its log line and of the metrics."""

import msgspec

from gateway.errors import GatewayError
from gateway.providers import Usage


class RequestRecord(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What the log says about one request; times in milliseconds.

    admitted_at: when it was counted against limits, in Unix time; None if it was not let in. Tokens and cost
    are those of all attempts together. unpriced: some of them have no price, and are not in the cost.
    """

    request_id: str
    trace_id: str
    method: str
    path: str
    status: int | None = None
    latency_ms: float | None = None
    caller: str | None = None
    caller_id: str | None = None
    caller_kind: str | None = None
    project_id: str | None = None
    operation: str | None = None
    model: str | None = None
    model_served: str | None = None
    deployment: str | None = None
    provider: str | None = None
    account: str | None = None
    region: str | None = None
    streamed: bool | None = None
    admitted_at: float | None = None
    attempts: int | None = None
    failed_attempts: list[str] = []
    time_to_first_token_ms: float | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None
    usage_estimated: bool | None = None
    cost_nano_usd: int | None = None
    unpriced: bool | None = None
    cached: bool | None = None
    upstream_request_id: str | None = None
    error_type: str | None = None
    error_code: str | None = None
    error_detail: str | None = None

    def add_usage(self, usage: Usage, cost_nano_usd: int | None) -> None:
        """Add what an attempt has used; None if it has no price."""
        self.input_tokens = (self.input_tokens or 0) + usage.input_tokens
        self.output_tokens = (self.output_tokens or 0) + usage.output_tokens
        self.cache_read_tokens = (self.cache_read_tokens or 0) + usage.cache_read_tokens
        self.cache_write_tokens = (self.cache_write_tokens or 0) + usage.cache_write_tokens
        self.reasoning_tokens = (self.reasoning_tokens or 0) + usage.reasoning_tokens
        if cost_nano_usd is None:
            self.unpriced = True
        else:
            self.cost_nano_usd = (self.cost_nano_usd or 0) + cost_nano_usd

    @property
    def tokens(self) -> int:
        """All tokens of prompts and answers."""
        return (
            (self.input_tokens or 0)
            + (self.output_tokens or 0)
            + (self.cache_read_tokens or 0)
            + (self.cache_write_tokens or 0)
        )

    def describe(self, error: GatewayError) -> None:
        """Note what ended the request; the message is left out, for it may quote the prompt."""
        self.error_type, self.error_code, self.error_detail = error.type, error.code, error.detail
