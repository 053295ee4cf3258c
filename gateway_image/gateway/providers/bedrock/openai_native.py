"""Bedrock's own OpenAI-compatible endpoint: chat completions and responses, as OpenAI has them."""

from collections.abc import Callable, Mapping

import msgspec
from msgspec import Raw

from gateway.call import Call, Operation
from gateway.catalog import BedrockDeployment
from gateway.errors import GatewayError
from gateway.providers.bedrock.converse_errors import error_from_response as aws_error_from_response
from gateway.providers.interface import UpstreamRequest
from gateway.providers.openai_compatible.errors import error_from_response as openai_error_from_response
from gateway.providers.openai_compatible.passing_on import PATHS, body_for, upstream_request

Sign = Callable[[str, bytes], tuple[str, Mapping[str, str]]]

_PREFIX = "/openai/v1"
# These have the Responses API only at an endpoint of another name, which this gateway does not call.
_WITHOUT_RESPONSES = "openai.gpt-oss-"
_CHAT: frozenset[Operation] = frozenset({"chat_completions"})
_CHAT_AND_RESPONSES: frozenset[Operation] = frozenset({"chat_completions", "responses"})
# Bedrock reserves quota by the limit on the output.
_LIMIT_FIELD: Mapping[Operation, str] = {
    "chat_completions": "max_completion_tokens",
    "responses": "max_output_tokens",
}

_encode = msgspec.json.Encoder().encode


def native_operations(deployment: BedrockDeployment) -> frozenset[Operation]:
    """What the deployment is asked for by this endpoint rather than by Converse.

    Nothing if it has a guardrail: the endpoint takes the headers that name one and may not act on them.
    """
    if deployment.chat_api != "openai" or deployment.guardrail is not None:
        return frozenset()
    return _CHAT if deployment.foundation_model.startswith(_WITHOUT_RESPONSES) else _CHAT_AND_RESPONSES


def prepare_native(
    deployment: BedrockDeployment,
    call: Call,
    sign: Sign,
    *,
    max_output_tokens: int,
    request_id_header: str,
) -> UpstreamRequest:
    """The request for a call; sign makes the URL and the headers for a path and a body."""
    limit = {_LIMIT_FIELD[call.operation]: Raw(_encode(max_output_tokens))}
    extra = {} if call.max_output_tokens else limit
    body = body_for(call, model=deployment.called_id, extra=extra)
    url, headers = sign(_PREFIX + PATHS[call.operation], body)
    return upstream_request(
        call,
        url=url,
        headers=headers,
        body=body,
        read_error=_error_from_response,
        request_id_header=request_id_header,
    )


def _error_from_response(status: int, headers: Mapping[str, str], body: bytes) -> GatewayError:
    # Who may call is decided by AWS before the request comes to the endpoint, and told in AWS's way.
    if "x-amzn-errortype" in headers:
        return aws_error_from_response(status, headers, body)
    return openai_error_from_response(status, headers, body)
