"""Tool calls and their results: every call of an assistant turn is answered once, in the next user turn."""

from collections.abc import Mapping, Sequence
from typing import Any

from local.bedrock_simulator.errors import invalid, not_an_object


def check_tool_turns(messages: Sequence[Mapping[str, Any]]) -> None:
    """Raise ServiceError unless toolUse and toolResult blocks of Converse messages match."""
    open_calls: list[str] = []
    for index, message in enumerate(messages):
        if message["role"] == "system":
            continue
        path = f"messages.{index}.content"
        calls = [block["toolUse"] for block in message["content"] if "toolUse" in block]
        results = [block["toolResult"] for block in message["content"] if "toolResult" in block]
        _check_roles(message["role"], calls, results, path)
        _check_ids("toolUse", calls, path)
        _check_ids("toolResult", results, path)
        if message["role"] == "user":
            _check_answers(open_calls, results, path)
        _check_inputs_and_outputs(message["content"], path)
        open_calls = [call["toolUseId"] for call in calls]


def _check_roles(
    role: str, calls: list[Mapping[str, Any]], results: list[Mapping[str, Any]], path: str
) -> None:
    if role == "user" and calls:
        raise invalid(
            f"The user message at {path} cannot contain toolUse blocks. "
            "Move them to an assistant message and try again."
        )
    if role == "assistant" and results:
        raise invalid(
            f"The assistant message at {path} cannot contain toolResult blocks. "
            "Move them to a user message and try again."
        )


def _check_ids(kind: str, blocks: list[Mapping[str, Any]], path: str) -> None:
    ids = [block["toolUseId"] for block in blocks]
    duplicates = sorted({tool_use_id for tool_use_id in ids if ids.count(tool_use_id) > 1})
    if duplicates:
        raise invalid(f"The {kind} blocks at {path} contain duplicate Ids: {', '.join(duplicates)}")


def _check_answers(open_calls: list[str], results: list[Mapping[str, Any]], path: str) -> None:
    if len(results) > len(open_calls):
        raise invalid(
            f"The number of toolResult blocks at {path} "
            "exceeds the number of toolUse blocks of previous turn."
        )
    answered = {result["toolUseId"] for result in results}
    missing = [call for call in open_calls if call not in answered]
    if missing:
        raise invalid(f"Expected toolResult blocks at {path} for the following Ids: {', '.join(missing)}")


def _check_inputs_and_outputs(content: Sequence[Mapping[str, Any]], path: str) -> None:
    for index, block in enumerate(content):
        if "toolUse" in block and not isinstance(block["toolUse"]["input"], dict):
            raise not_an_object(f"{path}.{index}.toolUse.input")
        if "toolResult" not in block:
            continue
        result = block["toolResult"]
        if result.get("status") == "error" and not result["content"]:
            raise invalid(
                f"The content field at {path}.{index}.toolResult cannot be empty when status value is error."
            )
        for inner_index, inner in enumerate(result["content"]):
            if "json" in inner and not isinstance(inner["json"], dict):
                raise not_an_object(f"{path}.{index}.toolResult.content.{inner_index}.json")
