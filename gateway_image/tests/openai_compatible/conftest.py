"""Helpers: calls, deployments and streams as providers send them."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from gateway.call import Call, Operation
from gateway.catalog import OpenAICompatibleDeployment
from gateway.providers.openai_compatible.provider import OpenAICompatibleProvider

MakeCall = Callable[..., Call]
MakeDeployment = Callable[..., OpenAICompatibleDeployment]


class Keys:
    """The keys of a test, and which of them were refused."""

    def __init__(self) -> None:
        self.key = "key-of-the-provider-1234567890"
        self.refused: list[str] = []

    def current(self, secret_id: str) -> str:
        return self.key

    def rejected(self, secret_id: str) -> None:
        self.refused.append(secret_id)


@pytest.fixture
def keys() -> Keys:
    return Keys()


@pytest.fixture
def provider(keys: Keys) -> OpenAICompatibleProvider:
    return OpenAICompatibleProvider(keys)  # type: ignore[arg-type]


@pytest.fixture
def make_call() -> MakeCall:
    def make(
        operation: Operation = "chat_completions", *, include_usage: bool = False, **fields: Any
    ) -> Call:
        body: Mapping[str, Any] = {"model": "public-name", **fields}
        return Call(
            operation,
            "public-name",
            json.dumps(body).encode(),
            stream=bool(fields.get("stream")),
            include_usage=include_usage,
        )

    return make


@pytest.fixture
def make_deployment() -> MakeDeployment:
    def make(**fields: Any) -> OpenAICompatibleDeployment:
        usual = {
            "name": "provider-a",
            "provider": "openai_compatible",
            "base_url": "https://provider.example.com/v1",
            "model": "their-model",
            "api_key_secret": "gatehouse/test/provider",
        }
        return OpenAICompatibleDeployment.model_validate(usual | fields)

    return make
