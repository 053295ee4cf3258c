"""Helpers of the translation's tests: what Bedrock would accept, and the bytes it would send."""

import base64
import json
import re
import struct
from collections.abc import Callable
from typing import Any
from zlib import crc32

import botocore.session
import pytest
from botocore.model import (
    ListShape,
    MapShape,
    ServiceModel,
    Shape,
    StringShape,
    StructureShape,
)
from botocore.validate import ParamValidator

from gateway.catalog import BedrockDeployment
from gateway.errors import GatewayError
from gateway.openai.chat import decode_chat_request
from gateway.providers.bedrock.converse_request import to_converse

Json = dict[str, Any]
Translate = Callable[..., Json]
Refusal = Callable[..., GatewayError]
CheckBody = Callable[..., None]
EncodeEvent = Callable[..., bytes]

HAIKU = "anthropic.claude-haiku-4-5-20251001-v1:0"


@pytest.fixture(scope="session")
def service_model() -> ServiceModel:
    return botocore.session.get_session().get_service_model("bedrock-runtime")


@pytest.fixture(scope="session")
def check_body(service_model: ServiceModel) -> CheckBody:
    """Fails unless a Converse body fits AWS's service model and the rules that the model does not tell."""

    def check(body: Json, *, stream: bool = False) -> None:
        shape = service_model.operation_model("ConverseStream" if stream else "Converse").input_shape
        assert isinstance(shape, StructureShape)
        parameters = _as_parameters(shape, {"modelId": "us.amazon.nova-lite-v1:0", **body}, "$")
        report = ParamValidator().validate(parameters, shape)
        assert not report.has_errors(), report.generate_report()
        _check_turns(body)
        _check_tool_pairs(body)
        _check_documents(body)

    return check


@pytest.fixture(scope="session")
def translate(check_body: CheckBody) -> Translate:
    """Translates an OpenAI request, given as keyword arguments, and checks the Converse body."""

    def translated(*messages: Json, **fields: Any) -> Json:
        body = json.loads(_to_converse(messages, fields))
        check_body(body, stream=bool(fields.get("stream")))
        assert isinstance(body, dict)
        return body

    return translated


@pytest.fixture(scope="session")
def refusal() -> Refusal:
    """The error that an OpenAI request is refused with; it must be a 400."""

    def refused(*messages: Json, **fields: Any) -> GatewayError:
        with pytest.raises(GatewayError) as caught:
            _to_converse(messages, fields)
        assert (caught.value.status, caught.value.type) == (400, "invalid_request_error")
        return caught.value

    return refused


def _to_converse(messages: tuple[Json, ...], fields: Json) -> bytes:
    """`foundation_model` and `guardrail` among the fields are the deployment's."""
    deployment = BedrockDeployment.model_validate(
        {
            "name": "d",
            "provider": "bedrock",
            "region": "us-east-1",
            "model_id": fields.pop("foundation_model", HAIKU),
            "guardrail": fields.pop("guardrail", None),
        }
    )
    request = {"model": "m", "messages": list(messages) or [{"role": "user", "content": "Hi"}], **fields}
    return to_converse(decode_chat_request(json.dumps(request).encode()), deployment, max_output_tokens=5000)


@pytest.fixture(scope="session")
def encode_event() -> EncodeEvent:
    """Writes one message of AWS's event stream."""

    def encode(event_type: str, payload: Json, *, message_type: str = "event") -> bytes:
        headers = {f":{message_type}-type": event_type, ":content-type": "application/json"}
        return _encode_message(headers | {":message-type": message_type}, json.dumps(payload).encode())

    return encode


def _encode_message(headers: dict[str, str], payload: bytes) -> bytes:
    encoded = b"".join(
        struct.pack(">B", len(name.encode()))
        + name.encode()
        + struct.pack(">BH", 7, len(value.encode()))
        + value.encode()
        for name, value in headers.items()
    )
    prelude = struct.pack(">II", 16 + len(encoded) + len(payload), len(encoded))
    message = prelude + struct.pack(">I", crc32(prelude)) + encoded + payload
    return message + struct.pack(">I", crc32(message))


@pytest.fixture(scope="session")
def text_events(encode_event: EncodeEvent) -> list[bytes]:
    """A recorded answer of plain text, as Bedrock sends it."""
    return [
        encode_event("messageStart", {"role": "assistant", "p": "abcd"}),
        encode_event("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "Grüß "}, "p": "ab"}),
        encode_event("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "\nGott"}}),
        encode_event("contentBlockStop", {"contentBlockIndex": 0}),
        encode_event("messageStop", {"stopReason": "end_turn"}),
        encode_event(
            "metadata",
            {"usage": {"inputTokens": 7, "outputTokens": 5, "totalTokens": 12}, "metrics": {"latencyMs": 9}},
        ),
    ]


def _as_parameters(shape: Shape, value: Any, path: str) -> Any:
    """A JSON value as botocore's parameters, checking what botocore leaves to the service."""
    match shape:
        case StructureShape() if getattr(shape, "is_document_type", False):
            return value
        case StructureShape():
            assert isinstance(value, dict), path
            assert not value.keys() - shape.members.keys(), (
                f"{path}: unknown {value.keys() - shape.members.keys()}"
            )
            return {
                key: _as_parameters(shape.members[key], item, f"{path}.{key}") for key, item in value.items()
            }
        case ListShape():
            return [_as_parameters(shape.member, item, f"{path}[{i}]") for i, item in enumerate(value)]
        case MapShape():
            return {
                _as_parameters(shape.key, key, path): _as_parameters(shape.value, item, f"{path}.{key}")
                for key, item in value.items()
            }
        case StringShape():
            assert not shape.enum or value in shape.enum, f"{path}: {value!r} is none of {shape.enum}"
            pattern = shape.metadata.get("pattern")
            assert pattern is None or re.fullmatch(pattern, value), (
                f"{path}: {value!r} does not match {pattern}"
            )
            assert len(value) <= shape.metadata.get("max", len(value)), f"{path} is too long"
        case _ if shape.type_name == "blob":
            return base64.b64decode(value, validate=True)
        case _:
            assert value <= shape.metadata.get("max", value), f"{path} is too large"
    return value


def _check_turns(body: Json) -> None:
    roles = [turn["role"] for turn in body["messages"]]
    assert roles == (["user", "assistant"] * len(roles))[: len(roles)], f"turns do not alternate: {roles}"
    assert "system" not in body or body["system"]
    for turn in body["messages"]:
        assert turn["content"], "a turn is empty"
    blocks = [block for turn in body["messages"] for block in turn["content"]] + body.get("system", [])
    results = [inner for block in blocks for inner in block.get("toolResult", {}).get("content", ())]
    assert all(block["text"].strip() for block in blocks + results if "text" in block), "a text is blank"


def _check_tool_pairs(body: Json) -> None:
    seen: set[str] = set()
    turns = body["messages"]
    for turn, following in zip(turns, [*turns[1:], {"content": []}], strict=True):
        calls = [block["toolUse"]["toolUseId"] for block in turn["content"] if "toolUse" in block]
        results = [
            block["toolResult"]["toolUseId"] for block in following["content"] if "toolResult" in block
        ]
        assert sorted(calls) == sorted(results), "calls and results do not match"
        assert len(set(calls)) == len(calls), "an ID is used twice"
        assert not seen & set(calls), "an ID is used twice"
        assert not calls or (turn["role"] == "assistant" and "toolConfig" in body), (
            "tool blocks need toolConfig"
        )
        seen |= set(calls)
        kinds = ["toolResult" in block for block in following["content"] if "cachePoint" not in block]
        assert kinds == sorted(kinds, reverse=True), "tool results must come first"


def _check_documents(body: Json) -> None:
    names = []
    for turn in body["messages"]:
        documents = [block["document"] for block in turn["content"] if "document" in block]
        assert not documents or any("text" in block for block in turn["content"]), "documents need text"
        names += [document["name"] for document in documents]
    assert len(set(names)) == len(names), "document names must be unique"
    for name in names:
        assert re.fullmatch(r"[A-Za-z0-9()\[\]-]+( [A-Za-z0-9()\[\]-]+)*", name), (
            f"bad document name {name!r}"
        )
