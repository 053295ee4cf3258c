"""The payloads of ConverseStream's events, as far as they concern a chat completion."""

import msgspec
from msgspec import Struct

from gateway.providers.bedrock.converse_response import TokenUsage


class ToolUseStart(Struct, rename="camel"):
    """A tool call begins."""

    tool_use_id: str
    name: str


class Start(Struct, rename="camel"):
    """What a content block begins with."""

    tool_use: ToolUseStart | None = None


class ContentBlockStart(Struct, rename="camel"):
    """A content block begins."""

    start: Start
    content_block_index: int


class ToolUseDelta(Struct):
    """More of a tool call's input, JSON cut anywhere."""

    input: str


class ReasoningDelta(Struct, rename="camel"):
    """More reasoning: text, its signature, or encrypted reasoning in base64."""

    text: str = ""
    signature: str = ""
    redacted_content: str = ""


class Delta(Struct, rename="camel"):
    """More of a content block."""

    text: str | None = None
    tool_use: ToolUseDelta | None = None
    reasoning_content: ReasoningDelta | None = None


class ContentBlockDelta(Struct, rename="camel"):
    """More of the content block with an index."""

    delta: Delta
    content_block_index: int


class ContentBlockStop(Struct, rename="camel"):
    """A content block ends."""

    content_block_index: int


class MessageStop(Struct, rename="camel"):
    """The answer ends."""

    stop_reason: str


class Metadata(Struct):
    """What the answer took; the last event."""

    usage: TokenUsage


class StreamException(Struct):
    """What ended the answer."""

    message: str = ""


decode_start = msgspec.json.Decoder(ContentBlockStart).decode
decode_delta = msgspec.json.Decoder(ContentBlockDelta).decode
decode_block_stop = msgspec.json.Decoder(ContentBlockStop).decode
decode_stop = msgspec.json.Decoder(MessageStop).decode
decode_metadata = msgspec.json.Decoder(Metadata).decode
decode_exception = msgspec.json.Decoder(StreamException).decode
