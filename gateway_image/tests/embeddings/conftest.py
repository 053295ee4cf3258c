"""Helpers: calls for embeddings, and Bedrock's side of them played by the simulator's models."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from gateway.call import Call
from gateway.catalog import BedrockDeployment
from gateway.providers.bedrock.embeddings import embedding_model, prepare_embeddings
from gateway.providers.interface import UpstreamBatch

MakeCall = Callable[..., Call]
Prepare = Callable[..., UpstreamBatch]


@pytest.fixture
def make_call() -> MakeCall:
    def make(**fields: Any) -> Call:
        return Call("embeddings", "public-name", json.dumps({"model": "public-name", **fields}).encode())

    return make


@pytest.fixture
def prepare(make_call: MakeCall) -> Prepare:
    """The batch for a model and a request's fields; URLs count the requests that were made."""

    def run(model_id: str, **fields: Any) -> UpstreamBatch:
        deployment = BedrockDeployment.model_validate(
            {"name": "embed-a", "provider": "bedrock", "region": "us-east-1", "model_id": model_id}
        )
        model = embedding_model(deployment)
        assert model is not None
        made: list[bytes] = []

        def sign(body: bytes) -> tuple[str, Mapping[str, str]]:
            made.append(body)
            return f"https://bedrock.example.com/{len(made)}", {"content-type": "application/json"}

        return prepare_embeddings(model, make_call(**fields), sign, request_id_header="x-amzn-requestid")

    return run
