"""What a simulated model answers: deterministic, with token counts that can be worked out by hand.

A token is a word: a run of characters other than white space, with the white space around it. By
default the model repeats what it was told last. A prompt steers it by its words:

- `call tool NAME` calls the tool NAME of the request, with input that conforms to its schema; several such
  phrases make parallel calls.
- `answer with N words` makes an answer of N tokens.

A forced tool choice is obeyed, and extended thinking adds reasoning. Replies on command replace all this.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from local.bedrock_simulator.compact_json import compact_json
from local.bedrock_simulator.replies import Reply
from local.bedrock_simulator.schema_sample import sample

ANY_TOOL = "*"
SIGNATURE = "c2ltdWxhdGVkLXNpZ25hdHVyZQ=="
"""The signature of all the reasoning that simulated models do."""

_TOKEN = re.compile(r"\s*\S+\s*|\s+")
_CALL_TOOL = re.compile(r"\bcall tool ([a-zA-Z0-9_-]+)", re.IGNORECASE)
_ANSWER_WITH_WORDS = re.compile(r"\banswer with (\d{1,6}) words\b", re.IGNORECASE)
_ECHO_TOKENS = 64
_JSON_PIECE_CHARACTERS = 12


@dataclass(frozen=True)
class Prompt:
    """What a request asks of a model, whichever API it came by."""

    text: str
    """The text of the last user turn."""
    tools: Mapping[str, Mapping[str, Any]]
    """JSON schemas of the tools' inputs by name."""
    forced_tool: str | None
    """The tool that must be called; ANY_TOOL leaves the choice."""
    answers_tool_results: bool
    thinks: bool
    max_tokens: int | None
    stop_sequences: tuple[str, ...]
    input_tokens: int


@dataclass(frozen=True)
class Text:
    """A block of text."""

    text: str


@dataclass(frozen=True)
class Reasoning:
    """A block of reasoning with the signature that proves it is the model's."""

    text: str
    signature: str


@dataclass(frozen=True)
class ToolCall:
    """A call of one of the request's tools."""

    call_id: str
    name: str
    input: Mapping[str, Any]


Block = Text | Reasoning | ToolCall


@dataclass(frozen=True)
class Answer:
    """A complete answer; `stop_reason` is Converse's."""

    blocks: tuple[Block, ...]
    stop_reason: str
    stop_sequence: str | None
    input_tokens: int
    output_tokens: int


@dataclass(frozen=True)
class StreamEvent:
    """One event of a streamed answer and the output tokens it carries."""

    type: str
    payload: dict[str, Any]
    tokens: int = 0


def split_tokens(text: str) -> list[str]:
    """The tokens of a text; joined, they are the text again."""
    return _TOKEN.findall(text)


def count_tokens(text: str) -> int:
    """How many tokens a text has."""
    return len(text.split())


def json_pieces(value: object) -> Iterator[str]:
    """A value's JSON as models stream it: an empty piece first, then a few characters at a time."""
    text = compact_json(value)
    yield ""
    for start in range(0, len(text), _JSON_PIECE_CHARACTERS):
        yield text[start : start + _JSON_PIECE_CHARACTERS]


def answer(prompt: Prompt, reply: Reply | None, number: int) -> Answer:
    """Answer a prompt, as `reply` says if there is one; `number` makes the IDs of tool calls unique."""
    blocks = _commanded(reply, number) if reply else _own_blocks(prompt, number)
    blocks, stop_sequence = _stop(blocks, prompt.stop_sequences)
    blocks, cut = _cut(blocks, prompt.max_tokens)
    if cut:
        stop_reason, stop_sequence = "max_tokens", None
    elif stop_sequence is not None:
        stop_reason = "stop_sequence"
    else:
        stop_reason = "tool_use" if any(isinstance(block, ToolCall) for block in blocks) else "end_turn"
    if reply and reply.stop_reason:
        stop_reason = reply.stop_reason
    return Answer(blocks, stop_reason, stop_sequence, prompt.input_tokens, sum(map(tokens_of, blocks)))


def _own_blocks(prompt: Prompt, number: int) -> tuple[Block, ...]:
    thoughts = [_reasoning("Considering what was asked.")] if prompt.thinks else []
    calls: list[Block] = [
        _tool_call(name, sample(prompt.tools[name]), number, index)
        for index, name in enumerate(_called_tools(prompt))
    ]
    return (*thoughts, *(calls or [Text(_own_text(prompt))]))


def _own_text(prompt: Prompt) -> str:
    if asked := _ANSWER_WITH_WORDS.search(prompt.text):
        return _words(max(1, int(asked[1])))
    told = "".join(split_tokens(prompt.text)[:_ECHO_TOKENS]).strip()
    if told:
        return f"You said: {told}"
    return "Thank you for the tool results." if prompt.answers_tool_results else "You said nothing."


def _called_tools(prompt: Prompt) -> list[str]:
    asked = [name for name in _CALL_TOOL.findall(prompt.text) if name in prompt.tools]
    if prompt.forced_tool is None:
        return asked
    if prompt.forced_tool == ANY_TOOL:
        return asked or list(prompt.tools)[:1]
    return [prompt.forced_tool]


def _commanded(reply: Reply, number: int) -> tuple[Block, ...]:
    blocks: list[Block] = []
    if reply.reasoning is not None:
        blocks.append(_reasoning(reply.reasoning))
    if reply.text is not None:
        blocks.append(Text(reply.text))
    if reply.words is not None:
        blocks.append(Text(_words(reply.words)))
    blocks += [_tool_call(call.name, call.input, number, i) for i, call in enumerate(reply.tool_calls)]
    return tuple(blocks)


def _words(count: int) -> str:
    return " ".join(f"word{i}" for i in range(1, count + 1))


def _reasoning(text: str) -> Reasoning:
    return Reasoning(text, SIGNATURE)


def _tool_call(name: str, tool_input: Mapping[str, Any], number: int, index: int) -> ToolCall:
    return ToolCall(f"tooluse_{number:016d}{index:06d}", name, tool_input)


def _stop(blocks: tuple[Block, ...], stop_sequences: tuple[str, ...]) -> tuple[tuple[Block, ...], str | None]:
    """The blocks up to the first stop sequence that occurs in a text, and that sequence."""
    for index, block in enumerate(blocks):
        if not isinstance(block, Text):
            continue
        found = [
            (block.text.index(sequence), sequence) for sequence in stop_sequences if sequence in block.text
        ]
        if found:
            position, sequence = min(found)
            before = (Text(block.text[:position]),) if position else ()
            return (*blocks[:index], *before), sequence
    return blocks, None


def _cut(blocks: tuple[Block, ...], max_tokens: int | None) -> tuple[tuple[Block, ...], bool]:
    """The blocks that fit into so many tokens, and whether something did not; no tool call is cut in two."""
    if max_tokens is None:
        return blocks, False
    kept: list[Block] = []
    left = max_tokens
    for block in blocks:
        if tokens_of(block) > left:
            if isinstance(block, Text) and left:
                kept.append(Text("".join(split_tokens(block.text)[:left])))
            return tuple(kept), True
        kept.append(block)
        left -= tokens_of(block)
    return tuple(kept), False


def tokens_of(block: Block) -> int:
    """How many output tokens a block costs."""
    if isinstance(block, ToolCall):
        return 1 + count_tokens(compact_json(block.input))
    return count_tokens(block.text)
