"""What Claude wants of a native Messages body (InvokeModel); Anthropic's wording, as Bedrock passes it on."""

from collections.abc import Mapping, Sequence
from typing import Any

from local.bedrock_simulator.anthropic_content import check_cache_control, check_content, check_tool_use
from local.bedrock_simulator.anthropic_tools import check_tools
from local.bedrock_simulator.errors import invalid
from local.bedrock_simulator.scenario import Model

_VERSION = "bedrock-2023-05-31"
_KEYS = frozenset(
    {
        "anthropic_beta", "anthropic_version", "max_tokens", "messages", "metadata", "output_config",
        "stop_sequences", "system", "temperature", "thinking", "tool_choice", "tools", "top_k", "top_p",
    }
)  # fmt: skip
_KEYS_OF_BETAS = {"context_management": "context-management-2025-06-27"}
# One flag that is not among these has the whole request refused.
_BETAS = frozenset(
    {
        "claude-code-20250219", "compact-2026-01-12", "computer-use-2024-10-22", "computer-use-2025-01-24",
        "computer-use-2025-11-24", "context-1m-2025-08-07", "context-management-2025-06-27",
        "dev-full-thinking-2025-05-14", "effort-2025-11-24", "fine-grained-tool-streaming-2025-05-14",
        "interleaved-thinking-2025-05-14", "output-128k-2025-02-19", "token-efficient-tools-2025-02-19",
        "tool-examples-2025-10-29", "tool-search-tool-2025-10-19",
    }
)  # fmt: skip
_LEAST_THINKING_TOKENS = 1024


def check_body(body: Mapping[str, Any], model: Model) -> None:
    """Raise ServiceError for a body that the model refuses."""
    betas = _check_betas(body.get("anthropic_beta"))
    _check_keys(body, betas)
    _check_limits(body, model)
    _check_thinking(body)
    messages = body["messages"]
    if not isinstance(messages, list) or not messages:
        raise invalid("messages: at least one message is required")
    check_content(body.get("system") or [], "system")
    if body.get("tools") or body.get("tool_choice"):
        check_tools(body.get("tools") or [], body.get("tool_choice"), betas)
    open_calls: set[str] = set()
    for index, message in enumerate(messages):
        _check_message(message, index)
        open_calls = check_tool_use(message, index, open_calls)
    _check_roles(messages, model)
    _check_thinking_comes_first(body)
    check_cache_control(body)


def _check_betas(flags: Any) -> frozenset[str]:
    if flags is None:
        return frozenset()
    if not isinstance(flags, list) or not all(isinstance(flag, str) for flag in flags):
        raise invalid("anthropic_beta: Input should be a valid list")
    if not _BETAS.issuperset(flags):
        raise invalid("invalid beta flag")
    return frozenset(flags)


def _check_keys(body: Mapping[str, Any], betas: frozenset[str]) -> None:
    for key in ("anthropic_version", "max_tokens", "messages"):
        if key not in body:
            raise invalid(f"{key}: Field required")
    if body["anthropic_version"] != _VERSION:
        raise invalid("anthropic_version: Invalid API version")
    for key in body:
        if key not in _KEYS and _KEYS_OF_BETAS.get(key) not in betas:
            raise invalid(f"{key}: Extra inputs are not permitted")
    extra = next((key for key in body.get("metadata") or () if key != "user_id"), None)
    if extra is not None:
        raise invalid(f"metadata.{extra}: Extra inputs are not permitted")


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


def _check_thinking(body: Mapping[str, Any]) -> None:
    thinking = body.get("thinking")
    if thinking is None:
        return
    kind = thinking.get("type") if isinstance(thinking, dict) else None
    if kind not in ("enabled", "disabled", "adaptive"):
        raise invalid(
            "thinking: Input tag does not match any of the expected tags: 'adaptive', 'disabled', 'enabled'"
        )
    if kind == "disabled":
        return
    if body.get("temperature", 1) != 1:
        raise invalid("`temperature` may only be set to 1 when thinking is enabled or in adaptive mode.")
    if kind == "enabled":
        _check_budget(thinking.get("budget_tokens"), body)


def _check_budget(budget: Any, body: Mapping[str, Any]) -> None:
    if isinstance(budget, bool) or not isinstance(budget, int):
        raise invalid("thinking.enabled.budget_tokens: Field required")
    if budget < _LEAST_THINKING_TOKENS:
        raise invalid(
            "thinking.enabled.budget_tokens: "
            f"Input should be greater than or equal to {_LEAST_THINKING_TOKENS}"
        )
    if budget >= body["max_tokens"] and "interleaved-thinking-2025-05-14" not in body.get(
        "anthropic_beta", ()
    ):
        raise invalid("`max_tokens` must be greater than `thinking.budget_tokens`.")


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
    check_content(message.get("content"), f"messages.{index}")


def _check_thinking_comes_first(body: Mapping[str, Any]) -> None:
    """The thoughts that led to a tool call must come back with it, or the model cannot go on thinking."""
    if (body.get("thinking") or {}).get("type") != "enabled":
        return
    turns = [(i, turn) for i, turn in enumerate(body["messages"]) if turn["role"] == "assistant"]
    for index, turn in turns[-1:]:
        blocks = turn["content"] if isinstance(turn["content"], list) else []
        first = blocks[0]["type"] if blocks else "text"
        calls_tools = any(block["type"] == "tool_use" for block in blocks)
        if calls_tools and first not in ("thinking", "redacted_thinking"):
            raise invalid(
                f"messages.{index}.content.0.type: Expected `thinking` or `redacted_thinking`, but found "
                f"`{first}`. When `thinking` is enabled, a final `assistant` message must start with a "
                "thinking block."
            )
