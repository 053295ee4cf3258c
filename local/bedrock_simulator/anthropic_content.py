"""What Claude wants of the content of a native Messages body: its blocks, and how they belong together."""

import base64
import binascii
from collections.abc import Iterator, Mapping
from typing import Any

from local.bedrock_simulator.answers import SIGNATURE
from local.bedrock_simulator.errors import invalid
from local.bedrock_simulator.images import check_image

_KEYS = {
    "text": {"type", "text", "cache_control", "citations"},
    "image": {"type", "source", "cache_control"},
    "document": {"type", "source", "title", "context", "citations", "cache_control"},
    "search_result": {"type", "source", "title", "content", "citations", "cache_control"},
    "tool_use": {"type", "id", "name", "input", "caller", "cache_control"},
    "tool_result": {"type", "tool_use_id", "content", "is_error", "cache_control"},
    "thinking": {"type", "thinking", "signature"},
    "redacted_thinking": {"type", "data"},
}
# Bedrock fetches nothing and keeps no files.
_SOURCES = {"image": {"base64"}, "document": {"base64", "text", "content"}}
_MOST_CACHE_BREAKPOINTS = 4


def check_content(content: Any, path: str) -> None:
    """Raise ServiceError for the content of a message, of the system prompt or of a tool's result."""
    if isinstance(content, str):
        if not content and path != "system":
            raise invalid(f"{path}: all messages must have non-empty content")
        return
    if not isinstance(content, list):
        raise invalid(f"{path}.content: Input should be a valid list")
    for index, block in enumerate(content):
        _check_block(block, f"{path}.content.{index}")


def check_tool_use(message: Mapping[str, Any], index: int, open_calls: set[str]) -> set[str]:
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


def check_cache_control(body: Mapping[str, Any]) -> None:
    """Raise ServiceError for cache breakpoints that are not well-formed, or too many."""
    found = list(_cache_controls({key: body.get(key) for key in ("tools", "system", "messages")}, ""))
    for path, control in found:
        if not isinstance(control, dict) or control.get("type") != "ephemeral":
            raise invalid(f"{path}: Input tag does not match any of the expected tags: 'ephemeral'")
        extra = next((key for key in control if key not in ("type", "ttl")), None)
        if extra is not None:
            raise invalid(f"{path}.ephemeral.{extra}: Extra inputs are not permitted")
        if control.get("ttl", "5m") not in ("5m", "1h"):
            raise invalid(f"{path}.ephemeral.ttl: Input should be '5m' or '1h'")
    if len(found) > _MOST_CACHE_BREAKPOINTS:
        raise invalid(
            f"A maximum of {_MOST_CACHE_BREAKPOINTS} blocks with cache_control may be provided. "
            f"Found {len(found)}."
        )


def _cache_controls(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _cache_controls(item, f"{path}.{index}")
    elif isinstance(value, dict):
        for key, item in value.items():
            where = f"{path}.{key}".removeprefix(".")
            if key == "cache_control" and item is not None:
                yield where, item
            # What a tool takes or was given is no block, whatever its fields are called.
            elif key not in ("input", "input_schema"):
                yield from _cache_controls(item, where)


def _check_block(block: Any, path: str) -> None:
    if not isinstance(block, dict) or block.get("type") not in _KEYS:
        raise invalid(f"{path}: Input tag does not match any of the expected tags")
    kind = block["type"]
    extra = next((key for key in block if key not in _KEYS[kind]), None)
    if extra is not None:
        raise invalid(f"{path}.{kind}.{extra}: Extra inputs are not permitted")
    if kind in _SOURCES:
        _check_source(block.get("source") or {}, kind, f"{path}.{kind}.source")
    elif kind == "text" and not str(block.get("text", "")).strip():
        raise invalid("messages: text content blocks must be non-empty")
    elif kind == "thinking" and block.get("signature") != SIGNATURE:
        raise invalid(f"{path}: Invalid `signature` in `thinking` block")
    elif kind == "tool_use" and not isinstance(block.get("input"), dict):
        raise invalid(f"{path}.tool_use.input: Input should be a valid dictionary")
    elif kind == "tool_result" and block.get("content") is not None:
        check_content(block["content"], f"{path}.tool_result")


def _check_source(source: Mapping[str, Any], kind: str, path: str) -> None:
    if source.get("type") not in _SOURCES[kind]:
        expected = ", ".join(f"'{name}'" for name in sorted(_SOURCES[kind]))
        raise invalid(
            f"{path}: Input tag '{source.get('type')}' found using 'type' does not match any of the "
            f"expected tags: {expected}"
        )
    if source["type"] != "base64":
        return
    try:
        data = base64.b64decode(source.get("data", ""), validate=True)
    except binascii.Error:
        raise invalid(f"{path}.base64: invalid base64 data") from None
    if kind == "image":
        check_image(data, str(source.get("media_type", "")).removeprefix("image/"), f"{path}.base64")
    elif source.get("media_type") != "application/pdf" or not data.startswith(b"%PDF-"):
        raise invalid(f"{path}.base64: The PDF specified was not valid.")
