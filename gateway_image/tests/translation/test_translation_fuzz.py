"""Any OpenAI conversation becomes a body that Bedrock accepts, or a 400 that names the field."""

import base64
import json
from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.catalog import BedrockDeployment
from gateway.errors import GatewayError
from gateway.openai.chat import decode_chat_request
from gateway.providers.bedrock.converse_request import to_converse

Json = dict[str, Any]
CheckBody = Callable[..., None]
Translate = Callable[..., Json]

DEPLOYMENT = BedrockDeployment.model_validate(
    {
        "name": "d",
        "provider": "bedrock",
        "region": "us-east-1",
        "model_id": "us.anthropic.claude-haiku-4-5-20251001-v1:0",
        "guardrail": {"identifier": "gr1a2b3c4d5e", "version": "1"},
    }
)

_text = st.text(max_size=12)
_ids = st.sampled_from(["a", "b", "call_1", "a b", "é", "x" * 70])
_names = st.sampled_from(["weather", "now", "no good"])
_cache = {
    "cache_control": st.none()
    | st.fixed_dictionaries({"type": st.just("ephemeral")}, optional={"ttl": st.just("1h")})
}
_base64 = st.binary(min_size=1, max_size=6).map(lambda data: base64.b64encode(data).decode())
_image_url = st.builds("data:image/{};base64,{}".format, st.sampled_from(["png", "webp", "bmp"]), _base64)
_file_data = st.builds(
    "data:{};base64,{}".format, st.sampled_from(["application/pdf", "text/csv", "x/y"]), _base64
)

_text_part = st.fixed_dictionaries({"type": st.just("text"), "text": _text}, optional=_cache)
_user_part = st.one_of(
    _text_part,
    st.fixed_dictionaries(
        {
            "type": st.just("image_url"),
            "image_url": st.fixed_dictionaries({"url": _image_url | st.just("http://x")}),
        }
    ),
    st.fixed_dictionaries(
        {
            "type": st.just("file"),
            "file": st.fixed_dictionaries(
                {"file_data": _file_data}, optional={"filename": st.text(max_size=8)}
            ),
        }
    ),
)
_arguments = st.sampled_from(
    ["", "{}", '{"a": 1e3, "b": [null, 18446744073709551616]}', "[]", "{", '{"a": "\\ud800"}']
)
_tool_call = st.fixed_dictionaries(
    {
        "id": _ids,
        "type": st.just("function"),
        "function": st.fixed_dictionaries({"name": _names, "arguments": _arguments}),
    }
)


_thinking = st.fixed_dictionaries(
    {"type": st.just("thinking"), "thinking": _text}, optional={"signature": _text}
) | st.fixed_dictionaries({"type": st.just("redacted_thinking"), "data": _text | _base64})


def _message(
    role: str, content: st.SearchStrategy[Any], **fields: st.SearchStrategy[Any]
) -> st.SearchStrategy[Json]:
    return st.fixed_dictionaries({"role": st.just(role), "content": content, **fields})


_texts = _text | st.lists(_text_part, max_size=3)
_any_message = st.one_of(
    _message("system", _texts),
    _message("developer", _texts),
    _message("user", _text | st.lists(_user_part, max_size=4)),
    _message(
        "assistant",
        st.none() | _texts,
        tool_calls=st.lists(_tool_call, max_size=2),
        thinking_blocks=st.none() | st.lists(_thinking, max_size=2),
    ),
    _message("tool", _texts, tool_call_id=_ids),
)
_tools = st.lists(
    st.fixed_dictionaries(
        {
            "type": st.just("function"),
            "function": st.fixed_dictionaries({"name": _names, "description": _text}),
        },
        optional=_cache,
    ),
    max_size=2,
)
_request = st.fixed_dictionaries(
    {"model": st.just("m"), "messages": st.lists(_any_message, min_size=1, max_size=8)},
    optional={
        "tools": _tools,
        "tool_choice": st.sampled_from(["none", "auto", "required"]),
        "stop": _text | st.lists(_text, max_size=4),
        "temperature": st.floats(0, 2),
        "metadata": st.dictionaries(_text, _text, max_size=2),
        "max_tokens": st.integers(1, 10**6),
        "parallel_tool_calls": st.booleans(),
        "reasoning_effort": st.sampled_from(["none", "minimal", "low", "medium", "high", "xhigh", "max"]),
        "service_tier": st.sampled_from(["auto", "flex", "fast", "scale"]),
    },
)


@settings(max_examples=150)
@given(request=_request)
def test_any_conversation_is_accepted_or_refused_by_name(check_body: CheckBody, request: Json) -> None:
    outcome = _outcome(request)
    if isinstance(outcome, GatewayError):
        assert outcome.status == 400
        assert outcome.param
    else:
        check_body(outcome)


def _outcome(request: Json) -> Json | GatewayError:
    try:
        body = to_converse(
            decode_chat_request(json.dumps(request).encode()), DEPLOYMENT, max_output_tokens=9000
        )
    except GatewayError as error:
        return error
    return dict(json.loads(body))


_spoken = st.text(min_size=1, max_size=12).filter(lambda text: bool(text.strip()))


@st.composite
def _sound_conversation(draw: st.DrawFn) -> tuple[list[Json], list[str]]:
    """A conversation as OpenAI accepts it, and all its texts in order."""
    messages: list[Json] = []
    texts: list[str] = []

    def say(**message: Any) -> None:
        texts.append(draw(_spoken))
        messages.append({"content": texts[-1], **message})

    say(role="user")
    for kind in draw(st.lists(st.sampled_from(["user", "assistant", "tools"]), max_size=6)):
        if kind != "tools":
            say(role=kind)
            continue
        ids = draw(st.lists(_ids, min_size=1, max_size=3, unique=True))
        function = {"name": "weather", "arguments": "{}"}
        say(role="assistant", tool_calls=[{"id": i, "type": "function", "function": function} for i in ids])
        for call_id in draw(st.permutations(ids)):
            say(role="tool", tool_call_id=call_id)
    return messages, texts


@given(conversation=_sound_conversation())
def test_a_sound_conversation_keeps_all_its_texts_in_order(
    translate: Translate, conversation: tuple[list[Json], list[str]]
) -> None:
    messages, texts = conversation
    body = translate(*messages, tools=[{"type": "function", "function": {"name": "weather"}}])
    blocks = [block for turn in body["messages"] for block in turn["content"]]
    translated = [
        text
        for block in blocks
        for text in [
            block.get("text"),
            *(inner["text"] for inner in block.get("toolResult", {}).get("content", [])),
        ]
        if text is not None
    ]
    assert translated == texts
    assert sum("toolUse" in block for block in blocks) == sum(len(m.get("tool_calls", ())) for m in messages)
