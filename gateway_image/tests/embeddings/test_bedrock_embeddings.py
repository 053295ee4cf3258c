"""What Bedrock's embedding models are sent, and what callers get of their answers."""

import base64
import json
import struct
from collections.abc import Callable
from typing import Any

import pytest

from gateway.errors import GatewayError
from gateway.providers import Usage
from gateway.providers.interface import UpstreamBatch

Prepare = Callable[..., UpstreamBatch]

TITAN = "amazon.titan-embed-text-v2:0"
NOVA = "amazon.nova-2-multimodal-embeddings-v1:0"
COHERE_V3 = "cohere.embed-english-v3"
COHERE_V4 = "us.cohere.embed-v4:0"


def _bodies(batch: UpstreamBatch) -> list[Any]:
    return [json.loads(part.body) for part in batch.parts]


def _answer(batch: UpstreamBatch, *answers: Any, headers: dict[str, str] | None = None) -> Any:
    """The caller's body for a batch's answers."""
    read = [
        part.read(headers or {}, json.dumps(answer).encode())
        for part, answer in zip(batch.parts, answers, strict=True)
    ]
    tokens = sum(usage.input_tokens for _, usage in read if usage is not None)
    return json.loads(batch.join([items for items, _ in read], Usage(input_tokens=tokens)))


def test_titan_embeds_one_text_a_request(prepare: Prepare) -> None:
    assert _bodies(prepare(TITAN, input=["a", "b"], dimensions=256)) == [
        {"inputText": "a", "dimensions": 256},
        {"inputText": "b", "dimensions": 256},
    ]
    assert _bodies(prepare(TITAN, input="a")) == [{"inputText": "a"}]


def test_nova_embeds_one_text_a_request(prepare: Prepare) -> None:
    (body,) = _bodies(prepare(NOVA, input="a", dimensions=384, input_type="search_query"))
    assert body == {
        "taskType": "SINGLE_EMBEDDING",
        "singleEmbeddingParams": {
            "embeddingPurpose": "GENERIC_RETRIEVAL",
            "embeddingDimension": 384,
            "text": {"truncationMode": "NONE", "value": "a"},
        },
    }


def test_cohere_embeds_up_to_96_texts_a_request(prepare: Prepare) -> None:
    texts = [f"text {index}" for index in range(200)]
    bodies = _bodies(prepare(COHERE_V4, input=texts, dimensions=512))
    assert [len(body["texts"]) for body in bodies] == [96, 96, 8]
    assert [text for body in bodies for text in body["texts"]] == texts
    assert bodies[0] | {"texts": []} == {
        "texts": [],
        "input_type": "search_document",
        "embedding_types": ["float"],
        "output_dimension": 512,
    }


def test_cohere_3_is_not_sent_what_it_does_not_know(prepare: Prepare) -> None:
    (body,) = _bodies(prepare(COHERE_V3, input="a", dimensions=1024, input_type="clustering"))
    assert body == {"texts": ["a"], "input_type": "clustering", "embedding_types": ["float"]}


def test_requests_are_made_as_they_are_sent(prepare: Prepare) -> None:
    parts = prepare(TITAN, input=["a", "b"]).parts
    assert next(parts).url.endswith("/1")
    assert next(parts).url.endswith("/2")


def test_answers_are_joined_in_order(prepare: Prepare) -> None:
    answer = _answer(
        prepare(TITAN, input=["a", "b"]),
        {"embedding": [0.5, -1.0], "embeddingsByType": {}, "inputTextTokenCount": 3},
        {"embedding": [1e-7, 2], "embeddingsByType": {}, "inputTextTokenCount": 4},
    )
    assert answer == {
        "object": "list",
        "data": [
            {"object": "embedding", "index": 0, "embedding": [0.5, -1.0]},
            {"object": "embedding", "index": 1, "embedding": [1e-7, 2]},
        ],
        "model": "public-name",
        "usage": {"prompt_tokens": 7, "total_tokens": 7},
    }


def test_indices_go_on_over_requests(prepare: Prepare) -> None:
    texts = ["a"] * 97
    answer = _answer(
        prepare(COHERE_V3, input=texts),
        {"embeddings": {"float": [[0.1]] * 96}},
        {"embeddings": [[0.2]]},
        headers={"x-amzn-bedrock-input-token-count": "5"},
    )
    assert [item["index"] for item in answer["data"]] == list(range(97))
    assert answer["data"][96]["embedding"] == [0.2]
    assert answer["usage"] == {"prompt_tokens": 10, "total_tokens": 10}


def test_base64_is_little_endian_floats(prepare: Prepare) -> None:
    answer = _answer(
        prepare(NOVA, input="a", encoding_format="base64"),
        {"embeddings": [{"embeddingType": "TEXT", "embedding": [0.5, -2, 1e-3]}]},
    )
    packed = base64.b64decode(answer["data"][0]["embedding"])
    assert struct.unpack("<3f", packed) == pytest.approx((0.5, -2, 1e-3))


@pytest.mark.parametrize(
    ("model", "fields", "param"),
    [
        (TITAN, {"input": [1, 2, 3]}, "input"),
        (TITAN, {"input": [[1, 2], [3]]}, "input"),
        (TITAN, {"input": []}, "input"),
        (TITAN, {"input": ""}, "input"),
        (TITAN, {"input": ["a", ""]}, "input"),
        (TITAN, {"input": ["a"] * 2049}, "input"),
        (TITAN, {"input": None}, "input"),
        (TITAN, {"input": {"text": "a"}}, "input"),
        (TITAN, {}, "input"),
        (TITAN, {"input": "a", "dimensions": 1536}, "dimensions"),
        (TITAN, {"input": "a", "dimensions": 0}, "dimensions"),
        (TITAN, {"input": "a", "input_type": "search_query"}, "input_type"),
        (COHERE_V3, {"input": "a", "dimensions": 512}, "dimensions"),
        (COHERE_V4, {"input": "a", "dimensions": 3072}, "dimensions"),
        (COHERE_V4, {"input": "a", "input_type": "image"}, "input_type"),
        (NOVA, {"input": "a", "dimensions": 512}, "dimensions"),
        (NOVA, {"input": "a", "encoding_format": "hex"}, "encoding_format"),
        (NOVA, {"input": "a", "truncate": "END"}, "truncate"),
    ],
)
def test_what_a_model_cannot_do_is_named(
    prepare: Prepare, model: str, fields: dict[str, Any], param: str
) -> None:
    with pytest.raises(GatewayError) as caught:
        prepare(model, **fields)
    assert (caught.value.status, caught.value.param) == (400, param)


def test_the_model_of_a_langchain_caller_is_told_how_to_send_texts(prepare: Prepare) -> None:
    with pytest.raises(GatewayError, match="check_embedding_ctx_length=False"):
        prepare(TITAN, input=[[1, 2, 3]])


@pytest.mark.parametrize(
    ("model", "answer"),
    [
        (TITAN, {"embedding": [0.1]}),
        (TITAN, []),
        (NOVA, {"embeddings": []}),
        (NOVA, {"embeddings": [{"embedding": [1]}, {"embedding": [2]}]}),
        (COHERE_V3, {"embeddings": {"int8": [[1]]}}),
        (COHERE_V3, {"embeddings": [[1], [2]]}),
    ],
)
def test_answers_that_are_none_are_the_providers_fault(prepare: Prepare, model: str, answer: Any) -> None:
    with pytest.raises(GatewayError) as caught:
        _answer(prepare(model, input="a"), answer)
    assert (caught.value.status, caught.value.code) == (502, "upstream_invalid_response")


def test_base64_of_what_is_no_vector_is_the_providers_fault(prepare: Prepare) -> None:
    with pytest.raises(GatewayError):
        _answer(
            prepare(TITAN, input="a", encoding_format="base64"),
            {"embedding": ["x"], "inputTextTokenCount": 1},
        )


def test_user_has_no_effect(prepare: Prepare) -> None:
    assert _bodies(prepare(TITAN, input="a", user="someone")) == [{"inputText": "a"}]


def test_embeddings_that_cannot_be_used_have_been_paid_for(prepare: Prepare) -> None:
    (part,) = prepare(NOVA, input="a").parts
    with pytest.raises(GatewayError) as caught:
        part.read({"x-amzn-bedrock-input-token-count": "9"}, b'{"embeddings":[]}')
    assert caught.value.usage == Usage(input_tokens=9)
