"""The candidates for JSON: OpenAI's chat shapes to Bedrock's and back, text only.

msgspec validates what it decodes; json and orjson do not, so their figures are without validation.
"""

# The candidates are installed in this benchmark's own environment, not in the project's.
# mypy: disable-error-code="import-not-found,no-untyped-call"

from collections.abc import Callable
from typing import Any, Protocol


class Codec(Protocol):
    """Translates bodies."""

    def request(self, body: bytes) -> tuple[bool, bytes]:
        """Whether the caller wants a stream, and the provider's request body."""
        ...

    def response(self, body: bytes) -> bytes:
        """The caller's response body."""
        ...

    def event(self, event: bytes) -> bytes:
        """One server-sent event for the caller from one of the provider's."""
        ...


def msgspec_codec() -> Codec:
    """Typed structs, decoded and validated in one pass."""
    from bench.engines.msgspec_codec import MsgspecCodec

    return MsgspecCodec()


class DictCodec:
    """Dictionaries, for libraries that know no types."""

    def __init__(self, loads: Callable[[bytes], Any], dumps: Callable[[Any], bytes]) -> None:
        self.loads = loads
        self.dumps = dumps

    def request(self, body: bytes) -> tuple[bool, bytes]:
        request = self.loads(body)
        messages = [{"role": m["role"], "content": [{"text": m["content"]}]} for m in request["messages"]]
        upstream = {
            "messages": messages,
            "inferenceConfig": {"maxTokens": request["max_tokens"]},
            "stream": request["stream"],
        }
        return request["stream"], self.dumps(upstream)

    def response(self, body: bytes) -> bytes:
        answer = self.loads(body)
        usage = answer["usage"]
        message = {"role": "assistant", "content": answer["output"]["message"]["content"][0]["text"]}
        completion = {
            "id": "chatcmpl-bench",
            "object": "chat.completion",
            "created": 0,
            "model": "bench",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {
                "prompt_tokens": usage["inputTokens"],
                "completion_tokens": usage["outputTokens"],
                "total_tokens": usage["totalTokens"],
            },
        }
        return self.dumps(completion)

    def event(self, event: bytes) -> bytes:
        delta = self.loads(event[6:])["contentBlockDelta"]["delta"]
        chunk = {
            "id": "chatcmpl-bench",
            "object": "chat.completion.chunk",
            "created": 0,
            "model": "bench",
            "choices": [{"index": 0, "delta": {"content": delta["text"]}}],
        }
        return b"data: " + self.dumps(chunk) + b"\n\n"


def orjson_codec() -> Codec:
    """orjson (Rust)."""
    import orjson

    return DictCodec(orjson.loads, orjson.dumps)


def json_codec() -> Codec:
    """The standard library."""
    import json

    return DictCodec(json.loads, lambda value: json.dumps(value, separators=(",", ":")).encode())


CODECS: dict[str, Callable[[], Codec]] = {
    "msgspec": msgspec_codec,
    "orjson": orjson_codec,
    "json": json_codec,
}
