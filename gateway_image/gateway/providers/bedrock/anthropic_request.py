"""Requests to Anthropic's Messages API as Bedrock takes them: the caller's own JSON in InvokeModel's body."""

import base64
from collections.abc import Mapping, Sequence
from typing import Annotated

import msgspec

from gateway.call import Call
from gateway.catalog import Guardrail
from gateway.errors import GatewayError, invalid_request
from gateway.providers.bedrock.anthropic_betas import betas_for_bedrock

_VERSION = msgspec.Raw(b'"bedrock-2023-05-31"')
# What the path of Bedrock's operation says instead of the body.
_IN_PATH = ("model", "stream")
# Fields of Bedrock's own, which say what of a prompt a guardrail looks at and when: the operators' to decide.
_BEDROCKS_OWN = "amazon-bedrock-"


class _Thinking(msgspec.Struct):
    budget_tokens: Annotated[int, msgspec.Meta(ge=0, lt=2**31)] = 0


_encode = msgspec.json.Encoder().encode
_decode_thinking = msgspec.json.Decoder(_Thinking).decode


def to_invoke_model(call: Call, betas: Sequence[str]) -> bytes:
    """InvokeModel's body for a call of the Messages API; raises GatewayError 400."""
    return _encode(_fields(call, betas))


def to_count_tokens(call: Call, betas: Sequence[str]) -> bytes:
    """CountTokens' body for a call that counts tokens; raises GatewayError 400."""
    fields = _fields(call, betas)
    body = _encode({"max_tokens": _least_max_tokens(fields.get("thinking")), **fields})
    return b'{"input":{"invokeModel":{"body":"' + base64.b64encode(body) + b'"}}}'


def betas_of(call: Call) -> list[str]:
    """The beta flags that a call is sent with; raises GatewayError 400."""
    return betas_for_bedrock(call.headers.get("anthropic-beta"), call.fields.get("anthropic_beta"))


def guardrail_headers(guardrail: Guardrail | None) -> Mapping[str, str]:
    """The headers that have a guardrail watch over an InvokeModel call."""
    if guardrail is None:
        return {}
    return {
        "x-amzn-bedrock-guardrailidentifier": guardrail.identifier,
        "x-amzn-bedrock-guardrailversion": guardrail.version,
    }


def _least_max_tokens(thinking: msgspec.Raw | None) -> int:
    """The limit that Bedrock wants even where nothing is generated: more than the thinking's budget."""
    if thinking is None:
        return 1
    try:
        return _decode_thinking(thinking).budget_tokens + 1
    except msgspec.ValidationError:
        # The model says better what is wrong with it.
        return 1


def _fields(call: Call, betas: Sequence[str]) -> dict[str, msgspec.Raw]:
    fields = {name: value for name, value in call.fields.items() if name not in _IN_PATH}
    for name in fields:
        if name.lower().startswith(_BEDROCKS_OWN):
            raise _reserved(name)
    fields["anthropic_version"] = _VERSION
    if betas:
        fields["anthropic_beta"] = msgspec.Raw(_encode(betas))
    return fields


def _reserved(name: str) -> GatewayError:
    message = f"{name[:100]} is not for callers to set: it directs the guardrails; leave it out."
    return invalid_request(message, param=name[:100], code="unsupported_parameter")
