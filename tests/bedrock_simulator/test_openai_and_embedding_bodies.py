"""The simulator's OpenAI-compatible endpoint and its embedding models, called by the vendors' own clients."""

import json
from collections.abc import Iterator
from typing import Any

import boto3
import openai
import pytest
from botocore.exceptions import ClientError

from local.bedrock_simulator import process
from local.bedrock_simulator.process import RunningSimulator

SCENARIO = """
accounts:
  - id: "111111111111"
    bearer_tokens: [{token: bedrock-api-key-of-the-test, region: us-east-1}]
"""
HELLO: list[Any] = [{"role": "user", "content": "Hello there"}]
NOVA = {
    "taskType": "SINGLE_EMBEDDING",
    "singleEmbeddingParams": {
        "embeddingPurpose": "GENERIC_INDEX",
        "embeddingDimension": 256,
        "text": {"truncationMode": "NONE", "value": "Hello there"},
    },
}
COHERE = {"texts": ["Hello there", "you"], "input_type": "search_query"}


@pytest.fixture(scope="module")
def bedrock() -> Iterator[RunningSimulator]:
    with process.start(SCENARIO) as running:
        yield running


@pytest.fixture(scope="module")
def client(bedrock: RunningSimulator) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(
        base_url=f"{bedrock.url}/openai/v1", api_key="bedrock-api-key-of-the-test", max_retries=0
    ) as client:
        yield client


@pytest.fixture(scope="module")
def runtime(bedrock: RunningSimulator) -> Any:
    return boto3.client(
        "bedrock-runtime",
        endpoint_url=bedrock.url,
        region_name="us-east-1",
        aws_access_key_id="AKIDTEST",
        aws_secret_access_key="any",
    )


def _invoke(runtime: Any, model_id: str, body: object) -> tuple[Any, int]:
    answer = runtime.invoke_model(modelId=model_id, body=json.dumps(body))
    tokens = answer["ResponseMetadata"]["HTTPHeaders"]["x-amzn-bedrock-input-token-count"]
    return json.loads(answer["body"].read()), int(tokens)


def test_chat_completions_with_an_api_key(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(model="openai.gpt-oss-120b-1:0", messages=HELLO)
    assert answer.choices[0].message.content == "You said: Hello there"
    chunks = list(
        client.chat.completions.create(
            model="openai.gpt-oss-120b-1:0",
            messages=HELLO,
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    assert "".join(c.choices[0].delta.content or "" for c in chunks if c.choices) == "You said: Hello there"
    assert chunks[-1].usage == answer.usage


def test_responses_only_where_the_model_has_them(client: openai.OpenAI) -> None:
    answer = client.responses.create(model="us.openai.gpt-5.6-sol", input="Hello there")
    assert answer.output_text == "You said: Hello there"
    with pytest.raises(openai.BadRequestError):
        client.responses.create(model="openai.gpt-oss-120b-1:0", input="Hello there")


@pytest.mark.parametrize(
    "fields",
    [
        {"extra_body": {"unknown": 1}},
        {"messages": []},
        {"extra_body": {"max_tokens": 1, "max_completion_tokens": 1}},
        {"extra_body": {"stream_options": {"include_usage": True}}},
    ],
)
def test_bodies_are_judged(client: openai.OpenAI, fields: dict[str, Any]) -> None:
    with pytest.raises(openai.BadRequestError):
        client.chat.completions.create(**{"model": "openai.gpt-oss-120b-1:0", "messages": HELLO, **fields})


def test_nova_embeds_a_text(runtime: Any) -> None:
    body, tokens = _invoke(runtime, "amazon.nova-2-multimodal-embeddings-v1:0", NOVA)
    assert len(body["embeddings"][0]["embedding"]) == 256
    assert tokens == 2


@pytest.mark.parametrize("model_id", ["cohere.embed-english-v3", "us.cohere.embed-v4:0"])
def test_cohere_embeds_texts(runtime: Any, model_id: str) -> None:
    body, tokens = _invoke(runtime, model_id, COHERE)
    assert len(body["embeddings"]) == 2
    by_type, _ = _invoke(runtime, model_id, COHERE | {"embedding_types": ["float"]})
    assert by_type["embeddings"]["float"] == body["embeddings"]
    assert tokens == 3


@pytest.mark.parametrize(
    ("model_id", "body"),
    [
        ("amazon.nova-2-multimodal-embeddings-v1:0", {"taskType": "SINGLE_EMBEDDING"}),
        ("amazon.nova-2-multimodal-embeddings-v1:0", NOVA | {"unknown": 1}),
        ("cohere.embed-english-v3", COHERE | {"texts": ["a"] * 97}),
        ("cohere.embed-english-v3", {"texts": ["a"]}),
        ("cohere.embed-english-v3", COHERE | {"output_dimension": 256}),
        ("us.cohere.embed-v4:0", COHERE | {"output_dimension": 300}),
    ],
)
def test_embedding_bodies_are_judged(runtime: Any, model_id: str, body: object) -> None:
    with pytest.raises(ClientError, match="ValidationException"):
        _invoke(runtime, model_id, body)
