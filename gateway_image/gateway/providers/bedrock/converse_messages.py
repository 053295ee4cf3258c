"""An OpenAI conversation as Converse's system prompt and alternating turns."""

import hashlib
import re
from typing import Any, NamedTuple

import msgspec

from gateway.errors import GatewayError, invalid_request
from gateway.openai.chat_types import (
    AssistantMessage,
    DeveloperMessage,
    Message,
    RedactedThinkingBlock,
    RefusalPart,
    SystemMessage,
    TextPart,
    ThinkingBlock,
    ToolCall,
    ToolMessage,
    UserMessage,
)
from gateway.providers.bedrock.converse_content import (
    Block,
    DocumentNames,
    add_cache_point,
    checked_base64,
    is_blank,
    text_blocks,
    user_blocks,
)
from gateway.providers.bedrock.converse_tools import check_tool_name

_TOOL_USE_ID = re.compile(r"[a-zA-Z0-9_.:-]{1,64}")
# Converse demands content in a tool result, and models refuse blank text.
_EMPTY_RESULT = "(empty)"
_decode_arguments = msgspec.json.Decoder(dict[str, Any]).decode


class _OpenCall(NamedTuple):
    """A tool call that still waits for its result."""

    name: str
    tool_use_id: str
    path: str


class Conversation:
    """The translation of one conversation, message by message.

    Converse wants turns of user and assistant in alternation, the user first, so messages of one of
    its roles in a row become one turn. It has one system prompt, before all turns: system and
    developer messages go there in their order, wherever they stood.

    tools_offered: whether the model may call tools. If not, calls and results of earlier turns are
    written as text: Converse accepts tool blocks only beside tools, and any tool it is given may be called.

    takes_thinking_back: whether the model goes on from its own thinking blocks. Others refuse them, and a
    conversation may move from one model to another, so for those they are left out.

    Raises GatewayError 400 naming the message, in its methods.
    """

    def __init__(self, *, tools_offered: bool, takes_thinking_back: bool) -> None:
        self.system: list[Block] = []
        self.turns: list[Block] = []
        self._tools_offered = tools_offered
        self._takes_thinking_back = takes_thinking_back
        self._open_calls: dict[str, _OpenCall] = {}
        self._tool_use_ids: set[str] = set()
        self._documents = DocumentNames()
        self._role = ""
        self._content: list[Block] = []
        self._turn_path = ""
        self._document_path = ""

    def add(self, message: Message, index: int) -> None:
        """Translate the message that stands at `index` of the request's messages."""
        path = f"messages[{index}]"
        if isinstance(message, ToolMessage):
            self._add_result(message, path)
            return
        if self._open_calls:
            raise _unanswered(self._open_calls)
        if message.name is not None:
            raise _unsupported(
                f"{path}.name", "Bedrock knows no names of participants; put the name into the text"
            )
        match message:
            case UserMessage():
                self._add_user(message, path)
            case AssistantMessage():
                self._add_assistant(message, path)
            case SystemMessage() | DeveloperMessage():
                self.system += text_blocks(message.content)

    def finish(self) -> None:
        """Check what can only be seen at the end."""
        if self._open_calls:
            raise _unanswered(self._open_calls)
        if not self.turns:
            raise invalid_request(
                "messages holds no user message; add one.", param="messages", code="invalid_value"
            )
        self._close_turn()

    def _turn(self, role: str, path: str) -> list[Block]:
        """The content of the turn that a message at `path` belongs to."""
        if role != self._role:
            if self.turns:
                self._close_turn()
            elif role != "user":
                message = (
                    f"{path} is the first message of the conversation; it must be a user's, not the {role}'s."
                )
                raise invalid_request(message, param=f"{path}.role", code="invalid_value")
            self._role, self._content, self._turn_path = role, [], path
            self.turns.append({"role": role, "content": self._content})
        return self._content

    def _close_turn(self) -> None:
        if not self._content:
            path = f"{self._turn_path}.content"
            raise invalid_request(f"{path} is blank; put text into it or leave the message out.", param=path)
        if self._document_path and not any("text" in block for block in self._content):
            message = (
                f"{self._document_path} holds a file but no text; say in a text part what to do with it."
            )
            raise invalid_request(message, param=self._document_path)
        self._document_path = ""

    def _add_user(self, message: UserMessage, path: str) -> None:
        blocks = user_blocks(message.content, f"{path}.content", self._documents)
        self._turn("user", path).extend(blocks)
        if any("document" in block for block in blocks):
            self._document_path = f"{path}.content"

    def _add_assistant(self, message: AssistantMessage, path: str) -> None:
        # reasoning_content is left out: models take reasoning back only with their own signature.
        for name in ("audio", "function_call", "annotations"):
            if getattr(message, name):
                raise _unsupported(f"{path}.{name}", "Bedrock cannot take it back; leave it out")
        blocks: list[Block] = []
        if self._takes_thinking_back:
            for index, block in enumerate(message.thinking_blocks or ()):
                blocks.append(_thinking(block, f"{path}.thinking_blocks[{index}]"))
        blocks += _assistant_text(message)
        for index, call in enumerate(message.tool_calls or ()):
            blocks.append(self._call(call, f"{path}.tool_calls[{index}]"))
        # Models say nothing at times, and clients send that back; Converse takes no empty turn.
        if blocks:
            self._turn("assistant", path).extend(blocks)

    def _call(self, call: ToolCall, path: str) -> Block:
        check_tool_name(call.function.name, f"{path}.function.name")
        if call.id in self._open_calls:
            raise invalid_request(
                f"{path}.id {call.id[:100]!r} is used twice; each call needs its own.", param=f"{path}.id"
            )
        arguments = _arguments(call, f"{path}.function.arguments")
        tool_use_id = self._tool_use_id(call.id, path)
        self._open_calls[call.id] = _OpenCall(call.function.name, tool_use_id, path)
        if not self._tools_offered:
            return {"text": f"[Called tool {call.function.name} with {call.function.arguments or '{}'}]"}
        return {"toolUse": {"toolUseId": tool_use_id, "name": call.function.name, "input": arguments}}

    def _tool_use_id(self, call_id: str, path: str) -> str:
        """The call's own ID, or one derived from it where Converse would refuse it or it is not unique."""
        tool_use_id = call_id
        if call_id in self._tool_use_ids or not _TOOL_USE_ID.fullmatch(call_id):
            tool_use_id = "call_" + hashlib.sha256(f"{path} {call_id}".encode()).hexdigest()[:32]
        self._tool_use_ids.add(tool_use_id)
        return tool_use_id

    def _add_result(self, message: ToolMessage, path: str) -> None:
        call = self._open_calls.pop(message.tool_call_id, None)
        if call is None:
            raise invalid_request(
                f"{path}.tool_call_id {message.tool_call_id[:100]!r} answers no call: tool messages directly "
                "follow the assistant message whose tool_calls they answer, one for each call.",
                param=f"{path}.tool_call_id",
            )
        turn = self._turn("user", path)
        content = text_blocks(message.content)
        cache_points = [block for block in content if "cachePoint" in block]
        content = [block for block in content if "text" in block] or [{"text": _EMPTY_RESULT}]
        if self._tools_offered:
            turn.append({"toolResult": {"toolUseId": call.tool_use_id, "content": content}})
        else:
            turn.append({"text": f"[Result of tool {call.name}]"})
            turn += content
        # A cache point cannot stand inside a tool result, so it follows it.
        turn += cache_points[-1:]


def _thinking(block: ThinkingBlock | RedactedThinkingBlock, path: str) -> Block:
    if isinstance(block, RedactedThinkingBlock):
        return {"reasoningContent": {"redactedContent": checked_base64(block.data, f"{path}.data")}}
    text: Block = {"text": block.thinking}
    if block.signature:
        text["signature"] = block.signature
    return {"reasoningContent": {"reasoningText": text}}


def _assistant_text(message: AssistantMessage) -> list[Block]:
    if isinstance(message.content, list):
        blocks: list[Block] = []
        for part in message.content:
            match part:
                case TextPart() if not is_blank(part.text):
                    blocks.append({"text": part.text})
                    add_cache_point(blocks, part.cache_control)
                case RefusalPart() if not is_blank(part.refusal):
                    blocks.append({"text": part.refusal})
    else:
        blocks = text_blocks(message.content or "")
    return blocks + text_blocks(message.refusal or "")


def _arguments(call: ToolCall, path: str) -> dict[str, Any]:
    text = call.function.arguments
    if is_blank(text):
        return {}
    try:
        return _decode_arguments(text)
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        message = f"{path} must be a JSON object in a string: {error}."
        raise invalid_request(message, param=path, code="invalid_value") from None


def _unanswered(open_calls: dict[str, _OpenCall]) -> GatewayError:
    call_id, call = next(iter(open_calls.items()))
    message = (
        f"{call.path}: call {call_id[:100]!r} has no result; a tool message with its ID must follow directly."
    )
    return invalid_request(message, param=f"{call.path}.id")


def _unsupported(path: str, reason: str) -> GatewayError:
    return invalid_request(f"{path} is not supported: {reason}.", param=path, code="unsupported_parameter")
