"""What is known of one request when it has ended: the source of its log line and of the metrics."""

import msgspec

from gateway.errors import GatewayError


class RequestRecord(msgspec.Struct, kw_only=True):
    """What the log says about one request; times in milliseconds."""

    request_id: str
    trace_id: str
    method: str
    path: str
    status: int | None = None
    latency_ms: float | None = None
    caller: str | None = None
    operation: str | None = None
    model: str | None = None
    model_served: str | None = None
    deployment: str | None = None
    region: str | None = None
    streamed: bool | None = None
    attempts: int | None = None
    failed_attempts: list[str] = []
    time_to_first_token_ms: float | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    usage_estimated: bool | None = None
    cached: bool | None = None
    upstream_request_id: str | None = None
    error_type: str | None = None
    error_code: str | None = None
    error_detail: str | None = None

    def describe(self, error: GatewayError) -> None:
        """Note what ended the request; the message is left out, for it may quote the prompt."""
        self.error_type, self.error_code, self.error_detail = error.type, error.code, error.detail
