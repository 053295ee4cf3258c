"""Whatever a provider answers with: what reads it makes JSON and a usage of it, or raises a GatewayError."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.call import Call
from gateway.catalog import BedrockDeployment
from gateway.errors import GatewayError
from gateway.openai.responses_object import to_response
from gateway.openai.responses_types import ResponsesRequest
from gateway.providers import Usage
from gateway.providers.bedrock import anthropic_errors, converse_errors
from gateway.providers.bedrock.anthropic_message import read_message, read_token_count
from gateway.providers.bedrock.converse_response import to_chat_completion
from gateway.providers.bedrock.embeddings import embedding_model, prepare_embeddings
from gateway.providers.openai_compatible import errors as openai_errors
from gateway.providers.openai_compatible.whole_answers import (
    read_chat_completion,
    read_embeddings,
    read_response,
)
from gateway.providers.sagemaker import errors as sagemaker_errors

Json = Any
Damaged = Callable[[Json], st.SearchStrategy[bytes]]
Read = Callable[[bytes], tuple[bytes, Usage | None]]

ANTHROPIC_USAGE = {"input_tokens": 3, "cache_read_input_tokens": 1, "output_tokens": 2}
MESSAGE = {
    "id": "m",
    "type": "message",
    "model": "x",
    "content": [{"type": "text"}],
    "usage": ANTHROPIC_USAGE,
}
CONVERSE = {
    "output": {
        "message": {
            "role": "assistant",
            "content": [
                {"reasoningContent": {"reasoningText": {"text": "Hm", "signature": "c2ln"}}},
                {"text": "Hello"},
                {"toolUse": {"toolUseId": "t", "name": "weather", "input": {"city": ["Lyon"]}}},
                {"citationsContent": {"content": [{"text": "quoted"}]}},
            ],
        }
    },
    "stopReason": "tool_use",
    "usage": {"inputTokens": 3, "outputTokens": 2, "cacheReadInputTokens": 1},
    "serviceTier": {"type": "flex"},
}
OPENAI_USAGE = {
    "prompt_tokens": 3,
    "completion_tokens": 2,
    "total_tokens": 5,
    "prompt_tokens_details": {"cached_tokens": 1},
}
CALL = {"id": "c", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
COMPLETION = {
    "id": "c",
    "model": "x",
    "choices": [
        {
            "message": {"role": "assistant", "content": "Hi", "refusal": None, "tool_calls": [CALL]},
            "finish_reason": "stop",
        }
    ],
    "usage": OPENAI_USAGE,
}
RESPONSE = {"model": "x", "output": [{"type": "message"}], "usage": {"input_tokens": 3, "output_tokens": 2}}
EMBEDDINGS = {"model": "x", "data": [{"embedding": [0.5, 1]}], "usage": {"prompt_tokens": 3}}


def _mapped_response(body: bytes) -> tuple[bytes, None]:
    return to_response(body, ResponsesRequest(input="x"), "public"), None


def _sign(_: bytes) -> tuple[str, Mapping[str, str]]:
    return "https://bedrock.test", {}


def _embeddings_by(model_id: str, encoding: str) -> Read:
    fields = {"name": "d", "provider": "bedrock", "region": "us-east-1", "model_id": model_id}
    model = embedding_model(BedrockDeployment.model_validate(fields))
    assert model is not None
    body = b'{"input":["x"],"encoding_format":"%b"}' % encoding.encode()
    batch = prepare_embeddings(model, Call("embeddings", "public", body), _sign, request_id_header="x")
    (part,) = batch.parts

    def read(answer: bytes) -> tuple[bytes, Usage]:
        items, usage = part.read({}, answer)
        return batch.join([items], usage or Usage()), usage or Usage()

    return read


READERS: dict[str, tuple[Read, Json]] = {
    "converse": (partial(to_chat_completion, model="public"), CONVERSE),
    "message": (partial(read_message, model="public"), MESSAGE),
    "token count": (read_token_count, {"inputTokens": 3}),
    "titan": (
        _embeddings_by("amazon.titan-embed-text-v2:0", "base64"),
        {"embedding": [0.5, 1], "inputTextTokenCount": 3},
    ),
    "cohere": (_embeddings_by("cohere.embed-v4:0", "base64"), {"embeddings": {"float": [[0.5, 1]]}}),
    "nova": (
        _embeddings_by("amazon.nova-2-multimodal-embeddings-v1:0", "float"),
        {"embeddings": [{"embedding": [0.5, 1]}]},
    ),
    "chat completion": (partial(read_chat_completion, model="public"), COMPLETION),
    "embeddings": (partial(read_embeddings, model="public"), EMBEDDINGS),
    "response": (partial(read_response, model="public"), RESPONSE),
    "mapped response": (_mapped_response, COMPLETION),
}


@pytest.mark.parametrize("name", READERS)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_answer_is_read_or_is_the_providers_error(
    damaged: Damaged, name: str, data: st.DataObject
) -> None:
    read, sample = READERS[name]
    answer = data.draw(damaged(sample))
    try:
        body, usage = read(answer)
    except GatewayError as error:
        _check(error)
        return
    _check_json(body)
    _check_usage(usage)


def _check_json(body: bytes) -> None:
    # What is deep was deep when it came.
    with suppress(RecursionError):
        msgspec.json.decode(body)


def _check_usage(usage: Usage | None) -> None:
    """Counts that nothing breaks that adds them up, limits by them or shows them."""
    for count in msgspec.structs.astuple(usage or Usage()):
        assert 0 <= count < 2**63


def _check(error: GatewayError) -> None:
    assert 400 <= error.status < 600
    assert error.retry_after_seconds is None or error.retry_after_seconds >= 0
    _check_json(error.body())
    msgspec.json.encode([error.detail])


AWS_ERROR = {"message": "arn:aws:x 111111111111", "__type": "x#ThrottlingException"}
OPENAI_ERROR = {"error": {"message": "no", "type": "x", "code": 429, "param": "messages"}}
SAGEMAKER_ERROR = {"OriginalStatusCode": 400, "OriginalMessage": '{"error": "no"}', "Message": "no"}
ReadError = Callable[[int, Mapping[str, str], bytes], GatewayError]
ERROR_READERS: dict[str, tuple[ReadError, Json]] = {
    "converse": (converse_errors.error_from_response, AWS_ERROR),
    "message": (partial(anthropic_errors.message_error, betas=["a"]), AWS_ERROR),
    "token count": (anthropic_errors.count_error, AWS_ERROR),
    "openai": (partial(openai_errors.error_from_response, key="key"), OPENAI_ERROR),
    "sagemaker": (sagemaker_errors.error_from_response, SAGEMAKER_ERROR),
}
_headers = st.fixed_dictionaries(
    {},
    optional={
        "x-amzn-errortype": st.sampled_from(["ModelError", "ValidationException:http://x", "#", ""]),
        "retry-after": st.sampled_from(["7", "-1", "1e400", "nan", "inf", "9" * 5000, "Wed, 21 Oct 2026"]),
        "retry-after-ms": st.sampled_from(["1", "nan", "²"]),
        "x-ratelimit-reset": st.sampled_from(["1m", "1e300", "²", "9" * 5000 + "h"]),
    },
)


@pytest.mark.parametrize("name", ERROR_READERS)
@settings(max_examples=60, deadline=None)
@given(data=st.data(), status=st.sampled_from([201, 302, 400, 404, 413, 424, 429, 500, 503, 529, 999]))
def test_any_error_is_told(damaged: Damaged, name: str, data: st.DataObject, status: int) -> None:
    read, sample = ERROR_READERS[name]
    _check(read(status, data.draw(_headers), data.draw(damaged(sample))))
