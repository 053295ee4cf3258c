"""The rules of a Converse conversation that the service model does not tell, and translations break.

Each check raises ServiceError with the service's own wording; paths count from zero, `messages.0.content.1`.
The shape of the request has been checked before (shapes.py).
"""

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from local.bedrock_simulator.errors import invalid, model_refuses, not_an_object
from local.bedrock_simulator.images import check_image
from local.bedrock_simulator.tool_turns import check_tool_turns

_Block = Mapping[str, Any]
_Messages = Sequence[Mapping[str, Any]]

_MAX_IMAGES = 20
_MAX_DOCUMENTS = 5
_DOCUMENT_NAME = re.compile(r"(?!.*\s\s)[\w\s\-()\[\]]+")
_IN_SYSTEM_MESSAGES = frozenset({"toolAddition", "toolRemoval"})


def check_conversation(body: Mapping[str, Any]) -> None:
    """Raise ServiceError unless the conversation is sound, whatever the model."""
    messages = body.get("messages") or ()
    _check_roles(messages)
    _check_content(messages, body.get("system") or ())
    _check_media(messages)
    _check_tools(body.get("toolConfig"), messages)
    check_tool_turns(messages)


def _check_roles(messages: _Messages) -> None:
    roles = [message["role"] for message in messages if message["role"] != "system"]
    if not roles or roles[0] != "user":
        raise invalid(
            "A conversation must start with a user message. "
            "Try again with a conversation that starts with a user message."
        )
    if any(role == following for role, following in pairwise(roles)):
        raise invalid(
            "A conversation must alternate between user and assistant roles. "
            "Make sure the conversation alternates between user and assistant roles and try again."
        )
    for index, message in enumerate(messages):
        if message["role"] == "system" and not all(map(_IN_SYSTEM_MESSAGES.issuperset, message["content"])):
            raise invalid(
                f"The system message at messages.{index} can only contain toolAddition and toolRemoval "
                "blocks. Move its text to the system field and try again."
            )


def _check_content(messages: _Messages, system: Sequence[_Block]) -> None:
    for index, block in enumerate(system):
        _check_text("SystemContentBlock", f"system.{index}", block)
    for index, message in enumerate(messages):
        if not message["content"]:
            raise invalid(
                f"The content field in the Message object at messages.{index} is empty. "
                "Add a ContentBlock object to the content field and try again."
            )
    for path, block in _blocks(messages):
        _check_text("ContentBlock", path, block)


def _check_text(kind: str, path: str, block: _Block) -> None:
    if "text" in block and not block["text"].strip():
        raise invalid(
            f"The text field in the {kind} object at {path} is blank. "
            "Add text to the text field, and try again."
        )


def _check_media(messages: _Messages) -> None:
    images = [(path, block["image"]) for path, block in _blocks(messages) if "image" in block]
    documents = [(path, block["document"]) for path, block in _blocks(messages) if "document" in block]
    if len(images) > _MAX_IMAGES:
        raise invalid(f"Too many images in the request: {len(images)} > {_MAX_IMAGES}.")
    if len(documents) > _MAX_DOCUMENTS:
        raise invalid(f"Too many documents in the request: {len(documents)} > {_MAX_DOCUMENTS}.")
    for path, image in images:
        if "bytes" in image["source"]:
            content = base64.b64decode(image["source"]["bytes"])
            check_image(content, image["format"], f"{path}.image.source.base64")
    for path, document in documents:
        if not _DOCUMENT_NAME.fullmatch(document["name"]):
            raise invalid(
                f"The document file name at {path}.document.name contains invalid characters. "
                "The file name can only contain alphanumeric characters, whitespace characters, hyphens, "
                "parentheses, and square brackets. "
                "The name can't contain more than one consecutive whitespace character."
            )
    for message in messages:
        kinds = {kind for block in message["content"] for kind in block}
        if "document" in kinds and "text" not in kinds:
            raise invalid("A text block must be included when using documents.")


def _check_tools(tool_config: Mapping[str, Any] | None, messages: _Messages) -> None:
    if tool_config is None:
        if any("toolUse" in block or "toolResult" in block for _, block in _blocks(messages)):
            raise invalid(
                "The toolConfig field must be defined when using toolUse and toolResult content blocks."
            )
        return
    names = []
    for index, tool in enumerate(tool_config["tools"]):
        if "toolSpec" in tool:
            names.append(tool["toolSpec"]["name"])
            _check_input_schema(tool["toolSpec"]["inputSchema"]["json"], f"toolConfig.tools.{index}")
    if len(set(names)) != len(names):
        raise model_refuses("tools: Tool names must be unique.")
    chosen = (tool_config.get("toolChoice") or {}).get("tool", {}).get("name")
    if chosen is not None and chosen not in names:
        raise model_refuses(f"tool_choice: Tool '{chosen}' not found in provided tools")


def _check_input_schema(schema: Any, tool_path: str) -> None:
    path = f"{tool_path}.toolSpec.inputSchema.json"
    if not isinstance(schema, dict):
        raise not_an_object(path)
    if schema.get("type") != "object":
        raise invalid(f"The value at {path}.type must be one of the following: object.")


def _blocks(messages: _Messages) -> Iterator[tuple[str, _Block]]:
    """Every content block with its path, those inside tool results included."""
    for i, message in enumerate(messages):
        for j, block in enumerate(message["content"]):
            path = f"messages.{i}.content.{j}"
            yield path, block
            for k, inner in enumerate(block.get("toolResult", {}).get("content", ())):
                yield f"{path}.toolResult.content.{k}", inner
