"""The input of a Responses request as the messages of a chat completion."""

import base64
import binascii
from collections.abc import Sequence
from typing import Any

import msgspec

from gateway.decoding import RequestDecoder
from gateway.errors import GatewayError, invalid_request
from gateway.openai.chat_types import RedactedThinkingBlock, ThinkingBlock
from gateway.openai.responses import API
from gateway.openai.responses_types import (
    FunctionCallItem,
    FunctionCallOutputItem,
    InputFile,
    InputImage,
    InputText,
    MessageItem,
    OutputRefusal,
    OutputText,
    Part,
    ReasoningItem,
)

Json = dict[str, Any]
Thinking = list[ThinkingBlock | RedactedThinkingBlock]

# Before reasoning that this gateway packed; what other services call encrypted_content is not for it to read.
_PACKED = "gatehouse:"


class _Kind(msgspec.Struct):
    type: str = "message"


_decode_kind = RequestDecoder(_Kind, API)
_decoders: dict[str, RequestDecoder[Any]] = {
    "message": RequestDecoder(MessageItem, API),
    "function_call": RequestDecoder(FunctionCallItem, API),
    "function_call_output": RequestDecoder(FunctionCallOutputItem, API),
    "reasoning": RequestDecoder(ReasoningItem, API),
}
_encode = msgspec.json.Encoder().encode
_decode_thinking = msgspec.json.Decoder(Thinking).decode


def pack_thinking(blocks: Thinking) -> str:
    """Thinking blocks as a reasoning item's encrypted_content, which clients send back as it is."""
    return _PACKED + base64.b64encode(_encode(blocks)).decode()


class Messages:
    """The messages that input items stand for.

    The model's reasoning, text and calls of one turn are items of their own, and one message. `origins` has
    the path of the item that each message began with.

    Raises GatewayError 400 naming the item, in its methods.
    """

    def __init__(self, instructions: str | None) -> None:
        self.messages: list[Json] = []
        self.origins: list[str] = []
        self._thinking: list[Json] = []
        if instructions:
            self._append({"role": "system", "content": instructions}, "instructions")

    def add_text(self, text: str) -> None:
        """Add an input that is only text."""
        self._append({"role": "user", "content": text}, "input")

    def add_item(self, raw: msgspec.Raw, path: str) -> None:
        """Add the input item that stands at a path."""
        kind = _decode_kind(raw, at=path).type
        decode = _decoders.get(kind)
        if decode is None:
            raise _unsupported(f"{path}.type", f"{kind[:100]!r}; allowed: {', '.join(_decoders)}")
        match decode(raw, at=path):
            case MessageItem(role="assistant") as item:
                self._assistant(path)["content"] += _assistant_parts(item.content, f"{path}.content")
            case MessageItem() as item:
                role = "user" if item.role == "user" else "system"
                self._append({"role": role, "content": _parts(item.content, f"{path}.content")}, path)
            case FunctionCallItem() as item:
                function = {"name": item.name, "arguments": item.arguments}
                call = {"id": item.call_id, "type": "function", "function": function}
                self._assistant(path).setdefault("tool_calls", []).append(call)
            case FunctionCallOutputItem() as item:
                content = _result(item.output, f"{path}.output")
                self._append({"role": "tool", "tool_call_id": item.call_id, "content": content}, path)
            case ReasoningItem() as item:
                self._thinking += _unpack_thinking(item.encrypted_content, f"{path}.encrypted_content")

    def finish(self) -> None:
        """Bring the assistant's messages into the form that every provider takes."""
        for message in self.messages:
            if message["role"] == "assistant":
                message["content"] = _plain(message["content"])

    def _append(self, message: Json, path: str) -> None:
        self.messages.append(message)
        self.origins.append(path)

    def _assistant(self, path: str) -> Json:
        """The message of the model's turn that goes on, or a new one."""
        if not self.messages or self.messages[-1]["role"] != "assistant":
            self._append({"role": "assistant", "content": []}, path)
        message = self.messages[-1]
        if self._thinking:
            message.setdefault("thinking_blocks", []).extend(self._thinking)
            self._thinking = []
        return message


def _plain(parts: list[Json]) -> str | list[Json] | None:
    """A single text instead of a list of one, nothing instead of none."""
    match parts:
        case []:
            return None
        case [{"type": "text", "text": str() as text}]:
            return text
        case _:
            return parts


def _parts(content: str | list[Part], path: str) -> str | list[Json]:
    if isinstance(content, str):
        return content
    return [_part(part, f"{path}[{index}]") for index, part in enumerate(content)]


def _part(part: Part, path: str) -> Json:
    match part:
        case InputText(text=text) | OutputText(text=text):
            return {"type": "text", "text": text}
        case InputImage(image_url=str() as url, file_id=None):
            detail = {} if part.detail is None else {"detail": part.detail}
            return {"type": "image_url", "image_url": {"url": url, **detail}}
        case InputImage():
            raise _unsupported(
                path, "an image without image_url; files are not stored here, so send the image"
            )
        case InputFile(file_data=str() as data, file_id=None, file_url=None, detail=None):
            name = {} if part.filename is None else {"filename": part.filename}
            return {"type": "file", "file": {"file_data": data, **name}}
        case InputFile():
            raise _unsupported(path, "a file by other than file_data and filename; send the file itself")
        case OutputRefusal(refusal=refusal):
            return {"type": "refusal", "refusal": refusal}


def _assistant_parts(content: str | list[Part], path: str) -> list[Json]:
    if isinstance(content, str):
        return [{"type": "text", "text": content}]
    for index, part in enumerate(content):
        if not isinstance(part, InputText | OutputText | OutputRefusal):
            raise _unsupported(f"{path}[{index}]", "media in a message of the assistant")
    return [_part(part, path) for part in content]


def _result(output: str | list[Part], path: str) -> str | list[Json]:
    if isinstance(output, str):
        return output
    for index, part in enumerate(output):
        if not isinstance(part, InputText):
            raise _unsupported(f"{path}[{index}]", "a result other than text; send a string or input_text")
    return [_part(part, path) for part in output]


def _unpack_thinking(packed: str | None, path: str) -> Sequence[Json]:
    """The thinking blocks that were packed; none where another service encrypted them."""
    if packed is None or not packed.startswith(_PACKED):
        return ()
    try:
        blocks = _decode_thinking(base64.b64decode(packed[len(_PACKED) :].encode(), validate=True))
    except (binascii.Error, msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        message = f"{path} is damaged; send it back exactly as it came, or leave the item out."
        raise invalid_request(message, param=path, code="invalid_value") from None
    return [msgspec.to_builtins(block) for block in blocks]


def _unsupported(path: str, what: str) -> GatewayError:
    return invalid_request(f"{path} is not supported here: {what}.", param=path, code="unsupported_value")
