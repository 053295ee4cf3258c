"""Bedrock's embeddings and its OpenAI-compatible endpoint behind a real gateway, called by OpenAI's SDK."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import openai
import pytest
import tiktoken
from langchain_openai import OpenAIEmbeddings

from local.bedrock_simulator import process as simulator_process
from local.bedrock_simulator.faults import Cut, Error, StreamError
from local.bedrock_simulator.process import RunningSimulator

HELLO: list[Any] = [{"role": "user", "content": "Hello there"}]
MODELS: dict[str, dict[str, Any]] = {
    "titan": {"model_id": "amazon.titan-embed-text-v2:0"},
    "cohere-3": {"model_id": "cohere.embed-english-v3"},
    "cohere-4": {"model_id": "us.cohere.embed-v4:0"},
    "nova": {"model_id": "amazon.nova-2-multimodal-embeddings-v1:0"},
    "gpt-oss": {"model_id": "openai.gpt-oss-120b-1:0", "chat_api": "openai"},
    "gpt": {"model_id": "us.openai.gpt-5.6-sol", "chat_api": "openai"},
}
DIMENSIONS = {"titan": 1024, "cohere-3": 1024, "cohere-4": 1536, "nova": 3072}


@pytest.fixture(scope="module")
def bedrock() -> Iterator[RunningSimulator]:
    with simulator_process.start() as running:
        yield running


@pytest.fixture(autouse=True)
def _calm_bedrock(bedrock: RunningSimulator) -> Iterator[None]:
    yield
    bedrock.control.reset()


@pytest.fixture(scope="module")
def gateway(
    bedrock: RunningSimulator, start_gateway: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory
) -> Any:
    catalog = tmp_path_factory.mktemp("catalog") / "models.json"
    models = [
        {
            "name": name,
            "max_output_tokens": 900,
            "max_attempts": 1,
            "deployments": [
                {"name": f"{name}-a", "provider": "bedrock", "region": "us-east-1", **deployment}
            ],
        }
        for name, deployment in MODELS.items()
    ]
    catalog.write_text(json.dumps({"models": models}))
    return start_gateway(models_source=catalog.as_uri(), bedrock_endpoint_url=bedrock.url)


@pytest.mark.parametrize("model", DIMENSIONS)
def test_lists_of_texts_are_embedded_in_order(client: openai.OpenAI, gateway: Any, model: str) -> None:
    texts = [f"text number {index}" for index in range(100 if model.startswith("cohere") else 20)]
    raw = client.embeddings.with_raw_response.create(model=model, input=texts)
    answer = raw.parse()
    assert [item.index for item in answer.data] == list(range(len(texts)))
    assert {len(item.embedding) for item in answer.data} == {DIMENSIONS[model]}
    assert answer.usage.prompt_tokens == answer.usage.total_tokens == 3 * len(texts)
    assert answer.model == model
    (one,) = client.embeddings.create(model=model, input=texts[7], encoding_format="float").data
    assert answer.data[7].embedding == pytest.approx(one.embedding, abs=1e-6)
    record = gateway.record(raw.headers["x-request-id"])
    assert (record["operation"], record["input_tokens"]) == ("embeddings", 3 * len(texts))
    assert record["upstream_request_id"]


@pytest.mark.parametrize(("model", "dimensions"), [("titan", 256), ("cohere-4", 512), ("nova", 384)])
def test_dimensions(client: openai.OpenAI, model: str, dimensions: int) -> None:
    (item,) = client.embeddings.create(model=model, input="Hello", dimensions=dimensions).data
    assert len(item.embedding) == dimensions


def test_a_throttled_part_fails_the_call(client: openai.OpenAI, bedrock: RunningSimulator) -> None:
    bedrock.control.add_fault(Error(error="ThrottlingException", times=1))
    with pytest.raises(openai.RateLimitError):
        client.embeddings.create(model="titan", input=["a"] * 20)


def test_an_embedding_model_does_not_chat_and_a_chat_model_does_not_embed(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(model="titan", messages=HELLO)
    assert caught.value.code == "operation_not_supported"
    with pytest.raises(openai.BadRequestError) as caught:
        client.embeddings.create(model="gpt", input="Hello")
    assert caught.value.code == "operation_not_supported"


def test_tokens_instead_of_texts_are_refused(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.embeddings.create(model="titan", input=[1, 2, 3])
    assert caught.value.param == "input"


@pytest.mark.parametrize("model", ["gpt-oss", "gpt"])
def test_native_chat_completions(client: openai.OpenAI, bedrock: RunningSimulator, model: str) -> None:
    answer = client.chat.completions.create(model=model, messages=HELLO, reasoning_effort="low")
    assert answer.choices[0].message.content == "You said: Hello there"
    assert answer.model == model
    call = bedrock.control.calls()[-1]
    assert (call.operation, call.model) == ("ChatCompletions", MODELS[model]["model_id"])
    # Bedrock reserves quota by the limit, so that one is always sent.
    assert call.reserved_tokens == 902


def test_native_streams(client: openai.OpenAI, gateway: Any) -> None:
    stream = client.chat.completions.create(model="gpt-oss", messages=HELLO, stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in stream) == "You said: Hello there"
    record = gateway.record(stream.response.headers["x-request-id"])
    assert (record["input_tokens"], record["output_tokens"]) == (2, 4)


def test_native_responses(client: openai.OpenAI, bedrock: RunningSimulator) -> None:
    whole = client.responses.create(model="gpt", input="Hello there")
    assert whole.output_text == "You said: Hello there"
    events = list(client.responses.create(model="gpt", input="Hello there", stream=True))
    assert events[-1].type == "response.completed"
    assert {call.operation for call in bedrock.control.calls()} == {"Responses"}


def test_responses_are_mapped_to_chat_where_the_model_has_none(
    client: openai.OpenAI, bedrock: RunningSimulator
) -> None:
    assert (
        client.responses.create(model="gpt-oss", input="Hello there").output_text == "You said: Hello there"
    )
    assert bedrock.control.calls()[-1].operation == "ChatCompletions"


def test_native_refusals_keep_their_words(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="no_such_field"):
        client.chat.completions.create(model="gpt-oss", messages=HELLO, extra_body={"no_such_field": 1})


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (Error(error="ThrottlingException", times=1), 429),
        (Error(error="AccessDeniedException", times=1), 502),
        (Error(error="ServiceUnavailableException", times=1), 502),
    ],
)
def test_native_errors_of_aws(
    client: openai.OpenAI, bedrock: RunningSimulator, fault: Error, status: int
) -> None:
    bedrock.control.add_fault(fault)
    with pytest.raises(openai.APIStatusError) as caught:
        client.chat.completions.create(model="gpt-oss", messages=HELLO)
    assert caught.value.status_code == status


@pytest.mark.parametrize("fault", [Cut(after_events=3, times=1), StreamError(after_events=3, times=1)])
def test_native_streams_that_fail_midway(
    client: openai.OpenAI, bedrock: RunningSimulator, fault: Cut | StreamError
) -> None:
    bedrock.control.add_fault(fault)
    with pytest.raises(openai.APIError):
        list(client.chat.completions.create(model="gpt-oss", messages=HELLO, stream=True))


def test_azures_client_embeds(gateway: Any) -> None:
    with openai.AzureOpenAI(
        azure_endpoint=gateway.url, api_key=gateway.key, api_version="2024-10-21"
    ) as client:
        answer = client.embeddings.create(model="titan", input="Hello", dimensions=256)
    assert (answer.model, len(answer.data[0].embedding)) == ("titan", 256)


def test_langchain_embeds_texts(gateway: Any) -> None:
    embeddings = _langchain(gateway, check_embedding_ctx_length=False)
    vectors = embeddings.embed_documents(["one", "two"])
    assert [len(vector) for vector in vectors] == [1024, 1024]
    assert embeddings.embed_query("two") == pytest.approx(vectors[1], abs=1e-6)


def test_langchain_that_sends_tokens_is_told_what_to_do(
    gateway: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Encoding:
        """Stands for one that would be downloaded."""

        def encode(self, text: str, **_: Any) -> list[int]:
            return list(text.encode())

        encode_ordinary = encode

    monkeypatch.setattr(tiktoken, "get_encoding", lambda name: Encoding())
    with pytest.raises(openai.BadRequestError, match="check_embedding_ctx_length=False"):
        _langchain(gateway).embed_query("Hello")


def _langchain(gateway: Any, **options: Any) -> OpenAIEmbeddings:
    return OpenAIEmbeddings(model="titan", base_url=f"{gateway.url}/v1", api_key=gateway.key, **options)
