"""Requests made up from the gateway's own OpenAPI document, sound and unsound ones, against a real gateway.

FUZZ_EXAMPLES asks for a longer run: so many for each operation, and all at the edges of the document.
`FUZZ_EXAMPLES=1000 pytest gateway_image/tests/integration/test_openapi_fuzz.py` takes some ten minutes.
"""

import json
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import ignored_auth, negative_data_rejection, positive_data_acceptance
from schemathesis.specs.openapi.schemas import OpenApiSchema

from gateway.openapi import DOCUMENT
from local.bedrock_simulator import process as simulator_process
from local.bedrock_simulator.process import RunningSimulator
from local.model_endpoint import process as endpoint_process
from local.model_endpoint.process import RunningEndpoint

EXAMPLES = os.environ.get("FUZZ_EXAMPLES")
BEDROCK = {
    "claude": {"model_id": "us.anthropic.claude-haiku-4-5-20251001-v1:0"},
    "nova": {"model_id": "us.amazon.nova-lite-v1:0"},
    "gpt-oss": {"model_id": "openai.gpt-oss-120b-1:0", "chat_api": "openai"},
    "titan": {"model_id": "amazon.titan-embed-text-v2:0"},
    "cohere": {"model_id": "us.cohere.embed-v4:0"},
}
PASSED_ON = (["gpt-oss"], ["gpt"], ["own-llm"])
# By what they can do, so that sound requests get further than to a 404.
CHAT_MODELS = ["claude", "nova", "gpt-oss", "gpt", "own-llm"]
MODELS = {
    "chat": CHAT_MODELS,
    "embeddings": ["titan", "cohere", "gpt"],
    "responses": CHAT_MODELS,
    "messages": ["claude"],
    "models": CHAT_MODELS,
}


def _catalog(endpoint: RunningEndpoint) -> dict[str, Any]:
    deployments: dict[str, dict[str, Any]] = {
        name: {"provider": "bedrock", "region": "us-east-1", **fields} for name, fields in BEDROCK.items()
    }
    deployments["gpt"] = {
        "provider": "openai_compatible",
        "base_url": f"{endpoint.url}/v1",
        "model": "their-model",
        "apis": ["chat_completions", "embeddings", "responses"],
    }
    deployments["own-llm"] = {"provider": "sagemaker", "region": "us-east-1", "endpoint_name": "llm"}
    return {
        "models": [
            {"name": name, "max_attempts": 1, "deployments": [{"name": f"{name}-a", **fields}]}
            for name, fields in deployments.items()
        ]
    }


@pytest.fixture(scope="module")
def bedrock() -> Iterator[RunningSimulator]:
    with simulator_process.start() as running:
        yield running


@pytest.fixture(scope="module")
def endpoint() -> Iterator[RunningEndpoint]:
    with endpoint_process.start() as running:
        yield running


@pytest.fixture(scope="module")
def gateway(
    bedrock: RunningSimulator,
    endpoint: RunningEndpoint,
    start_gateway: Callable[..., Any],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Any]:
    catalog = tmp_path_factory.mktemp("catalog") / "models.json"
    catalog.write_text(json.dumps(_catalog(endpoint)))
    gateway = start_gateway(
        models_source=catalog.as_uri(), bedrock_endpoint_url=bedrock.url, sagemaker_endpoint_url=endpoint.url
    )
    yield gateway
    assert gateway.process.poll() is None
    assert [line for line in gateway.log() if line["level"] == "error"] == []


def _name_models(document: dict[str, Any], operation: dict[str, Any]) -> None:
    """Have sound requests ask for models that there are."""
    (group,) = operation["tags"]
    named = {"enum": MODELS.get(group, [])}
    for parameter in operation.get("parameters", ()):
        if parameter["name"] == "model":
            operation["parameters"] = [{**parameter, "schema": named}]
    if "requestBody" in operation:
        (content,) = operation["requestBody"]["content"].values()
        schema = document["components"]["schemas"][content["schema"]["$ref"].rpartition("/")[2]]
        if "model" in schema["required"]:
            schema["properties"]["model"] = named


def _api() -> OpenApiSchema:
    document = json.loads(DOCUMENT.read_bytes())
    for methods in document["paths"].values():
        for operation in methods.values():
            _name_models(document, operation)
    api = schemathesis.openapi.from_dict(document)
    # The key is sent with every request.
    api.config.generation.with_security_parameters = False
    api.config.phases.coverage.enabled = EXAMPLES is not None
    return api


@_api().parametrize()
@settings(max_examples=int(EXAMPLES or 6), deadline=None, suppress_health_check=list(HealthCheck))
def test_any_request_is_answered_as_documented(case: Any, gateway: Any) -> None:
    headers = {"authorization": f"Bearer {gateway.key}"}
    response = case.call(base_url=gateway.url, headers=headers, timeout=120)
    # What a model can do is not in the document, and what is passed on is its provider's to judge.
    excluded = [ignored_auth, positive_data_acceptance]
    if case.path.startswith("/v1/messages") or response.headers.get("x-gatehouse-model") in PASSED_ON:
        excluded.append(negative_data_rejection)
    if response.status_code == 502:
        excluded.append(not_a_server_error)
    case.validate_response(response, excluded_checks=excluded)
