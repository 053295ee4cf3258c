"""What Claude wants of a native Messages body's tools and of the choice among them."""

import re
from collections.abc import Mapping
from typing import Any

from local.bedrock_simulator.errors import invalid

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,128}")
# Tools whose schema the model knows; of these only the type and the name are looked at.
_BUILT_IN = re.compile(r"(bash|text_editor|computer|memory|tool_search_tool_(regex|bm25))_\d{8}")
_CUSTOM_KEYS = frozenset({"cache_control", "description", "input_schema", "name", "strict", "type"})
_KEYS_OF_BETAS = {
    "defer_loading": "tool-search-tool-2025-10-19",
    "eager_input_streaming": "fine-grained-tool-streaming-2025-05-14",
    "input_examples": "tool-examples-2025-10-29",
}
_CHOICES = {
    "auto": {"type", "disable_parallel_tool_use"},
    "any": {"type", "disable_parallel_tool_use"},
    "tool": {"type", "name", "disable_parallel_tool_use"},
    "none": {"type"},
}


def check_tools(tools: Any, choice: Any, betas: frozenset[str]) -> None:
    """Raise ServiceError for tools, or a choice among them, that the model refuses."""
    if not isinstance(tools, list):
        raise invalid("tools: Input should be a valid list")
    names = [_check_tool(tool, f"tools.{index}", betas) for index, tool in enumerate(tools)]
    if len(set(names)) < len(names):
        raise invalid("tools: Tool names must be unique.")
    if choice is not None:
        _check_choice(choice, names)


def _check_tool(tool: Any, path: str, betas: frozenset[str]) -> str:
    if not isinstance(tool, dict):
        raise invalid(f"{path}: Input should be a valid dictionary")
    kind = tool.get("type", "custom")
    if kind != "custom" and not _BUILT_IN.fullmatch(str(kind)):
        raise invalid(
            f"{path}: Input tag '{kind}' found using 'type' does not match any of the expected tags"
        )
    name = tool.get("name")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise invalid(f"{path}.{kind}.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'")
    if kind == "custom":
        _check_custom(tool, f"{path}.custom", betas)
    return name


def _check_custom(tool: Mapping[str, Any], path: str, betas: frozenset[str]) -> None:
    for key in tool:
        if key not in _CUSTOM_KEYS and _KEYS_OF_BETAS.get(key) not in betas:
            raise invalid(f"{path}.{key}: Extra inputs are not permitted")
    if "input_schema" not in tool:
        raise invalid(f"{path}.input_schema: Field required")
    schema = tool["input_schema"]
    if not isinstance(schema, dict) or schema.get("type") != "object":
        raise invalid(f"{path}.input_schema.type: Input should be 'object'")


def _check_choice(choice: Any, names: list[str]) -> None:
    kind = choice.get("type") if isinstance(choice, dict) else None
    if kind not in _CHOICES:
        raise invalid(
            "tool_choice: Input tag does not match any of the expected tags: 'auto', 'any', 'tool', 'none'"
        )
    extra = next((key for key in choice if key not in _CHOICES[kind]), None)
    if extra is not None:
        raise invalid(f"tool_choice.{kind}.{extra}: Extra inputs are not permitted")
    if kind == "tool" and choice.get("name") not in names:
        raise invalid(f"Tool '{choice.get('name')}' not found in provided tools")
