"""What Claude wants of a native Messages body (InvokeModel); Anthropic's wording, as Bedrock passes it on."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any

from local.bedrock_simulator.errors import invalid
from local.bedrock_simulator.images import check_image
from local.bedrock_simulator.scenario import Model

_VERSION = "bedrock-2023-05-31"
_KEYS = frozenset(
    {
        "anthropic_beta", "anthropic_version", "max_tokens", "messages", "metadata", "output_config",
        "stop_sequences", "system", "temperature", "thinking", "tool_choice", "tools", "top_k", "top_p",
    }
)  # fmt: skip
_BLOCK_TYPES = frozenset(
    {"text", "image", "document", "tool_use", "tool_result", "thinking", "redacted_thinking", "search_result"}
)


def check_body(body: Mapping[str, Any], model: Model) -> None:
    """Raise ServiceError for a body that the model refuses."""
    _check_keys(body)
    _check_limits(body, model)
    messages = body["messages"]
    if not isinstance(messages, list) or not messages:
        raise invalid("messages: at least one message is required")
    _check_texts(body.get("system") or [], "system")
    open_calls: set[str] = set()
    for index, message in enumerate(messages):
        _check_message(message, index)
        open_calls = _check_tool_use(message, index, open_calls)
    _check_roles(messages, model)


def _check_keys(body: Mapping[str, Any]) -> None:
    for key in ("anthropic_version", "max_tokens", "messages"):
        if key not in body:
            raise invalid(f"{key}: Field required")
    if body["anthropic_version"] != _VERSION:
        raise invalid("anthropic_version: Invalid API version")
    extra = next((key for key in body if key not in _KEYS), None)
    if extra is not None:
        raise invalid(f"{extra}: Extra inputs are not permitted")


def _check_limits(body: Mapping[str, Any], model: Model) -> None:
    max_tokens = body["max_tokens"]
    if isinstance(max_tokens, bool) or not isinstance(max_tokens, int):
        raise invalid("max_tokens: Input should be a valid integer")
    if max_tokens < 1:
        raise invalid("max_tokens: Input should be greater than or equal to 1")
    if max_tokens > model.max_output_tokens:
        raise invalid(
            f"max_tokens: {max_tokens} > {model.max_output_tokens}, "
            f"which is the maximum allowed number of output tokens for {model.id}"
        )
    for name in ("temperature", "top_p"):
        value = body.get(name, 0)
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
            raise invalid(f"{name}: range: 0..1")
    if model.temperature_excludes_top_p and "temperature" in body and "top_p" in body:
        raise invalid(
            "`temperature` and `top_p` cannot both be specified for this model. Please use only one."
        )
    if any(not str(sequence).strip() for sequence in body.get("stop_sequences") or ()):
        raise invalid("stop_sequences: each stop sequence must contain non-whitespace")


def _check_roles(messages: Sequence[Mapping[str, Any]], model: Model) -> None:
    # Anthropic merges neighbours of one role; only the first and the last role matter.
    if messages[0]["role"] != "user":
        raise invalid('messages: first message must use the "user" role')
    if messages[-1]["role"] == "assistant" and not model.assistant_prefill:
        raise invalid(
            "This model does not support assistant message prefill. "
            "The conversation must end with a user message."
        )


def _check_message(message: Any, index: int) -> None:
    if not isinstance(message, dict) or set(message) - {"role", "content"}:
        raise invalid(f"messages.{index}: Extra inputs are not permitted")
    if message.get("role") not in ("user", "assistant"):
        raise invalid(f"messages.{index}.role: Input should be 'user' or 'assistant'")
    _check_texts(message.get("content"), f"messages.{index}")


def _check_texts(content: Any, path: str) -> None:
    if isinstance(content, str):
        if not content and path != "system":
            raise invalid(f"{path}: all messages must have non-empty content")
        return
    if not isinstance(content, list):
        raise invalid(f"{path}.content: Input should be a valid list")
    for index, block in enumerate(content):
        if not isinstance(block, dict) or block.get("type") not in _BLOCK_TYPES:
            raise invalid(f"{path}.content.{index}: Input tag does not match any of the expected tags")
        if block["type"] == "text" and not str(block.get("text", "")).strip():
            raise invalid("messages: text content blocks must be non-empty")
        source = block.get("source") or {}
        if block["type"] == "image" and source.get("type") == "base64":
            _check_base64_image(source, f"{path}.content.{index}.image.source.base64")
        if block["type"] == "tool_result" and block.get("content") is not None:
            _check_texts(block["content"], f"{path}.content.{index}.tool_result")


def _check_base64_image(source: Mapping[str, Any], path: str) -> None:
    try:
        image = base64.b64decode(source.get("data", ""), validate=True)
    except binascii.Error:
        raise invalid(f"{path}: invalid base64 data") from None
    check_image(image, str(source.get("media_type", "")).removeprefix("image/"), path)


def _check_tool_use(message: Mapping[str, Any], index: int, open_calls: set[str]) -> set[str]:
    """The calls this message leaves open; those of the message before must be answered in it."""
    blocks = message["content"] if isinstance(message["content"], list) else []
    answered = {block.get("tool_use_id") for block in blocks if block["type"] == "tool_result"}
    unexpected = sorted(str(call) for call in answered - open_calls)
    if unexpected:
        raise invalid(
            f"messages.{index}.content.0: unexpected `tool_use_id` found in `tool_result` blocks: "
            f"{', '.join(unexpected)}. "
            "Each `tool_result` block must have a corresponding `tool_use` block in the previous message."
        )
    missing = sorted(open_calls - answered)
    if missing:
        raise invalid(
            f"messages.{index - 1}: `tool_use` ids were found without `tool_result` blocks immediately "
            f"after: {', '.join(missing)}. "
            "Each `tool_use` block must have a corresponding `tool_result` block in the next message."
        )
    return {block["id"] for block in blocks if block["type"] == "tool_use"}
