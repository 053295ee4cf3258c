"""The catalog and the deployments' state in the admin API, and the API's own description."""

import json
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from gateway.admin.operations import OPERATIONS
from gateway.errors import GatewayError

pytestmark = pytest.mark.anyio


async def test_the_catalog_is_shown_with_prices_and_without_secrets(api: Any) -> None:
    answer = await api.get("/admin/v1/models")
    claude, own = answer.data
    assert (claude["name"], claude["strategy"], claude["response_cache_seconds"]) == (
        "claude",
        {"kind": "weighted"},
        None,
    )
    (deployment,) = claude["deployments"]
    assert (deployment["name"], deployment["provider"], deployment["region"], deployment["tier"]) == (
        "claude-us",
        "bedrock",
        "us-east-1",
        0,
    )
    assert deployment["configuration"]["model_id"].endswith("claude-haiku-4-5-20251001-v1:0")
    assert (deployment["price"]["input_usd"], deployment["price"]["output_usd"]) == (1, 5)
    assert {"date", "source"} <= set(deployment["price"])
    assert own["deployments"][0]["price"] is None
    assert "where-the-key-is" not in answer.body.decode()


async def test_how_deployments_do(api: Any) -> None:
    answer = await api.get("/admin/v1/deployments")
    assert [(each["name"], each["model"], each["state"]) for each in answer.data] == [
        ("claude-us", "claude", "available"),
        ("own-llm", "own", "available"),
    ]
    states = api.parts.states
    state = states.of("claude-us")
    state.in_flight = 2
    error = GatewayError(
        429, "slow down", type="api_error", code="upstream_throttled", retry_after_seconds=600
    )
    states.failed(state, error, began=states.clock())
    states.succeeded(states.of("own-llm"), began=states.clock(), seconds=1.5, first_token_seconds=0.5)
    cooling, well = (await api.get("/admin/v1/deployments")).data
    assert (cooling["state"], cooling["cause"], cooling["in_flight"]) == ("cooling", "throttled", 2)
    assert (cooling["last_error_code"], cooling["error_rate"]) == ("upstream_throttled", 1)
    assert cooling["cooling_until"].endswith("Z")
    assert (well["latency_seconds"], well["time_to_first_token_seconds"], well["error_rate"]) == (1.5, 0.5, 0)
    assert (well["cooling_until"], well["cause"]) == (None, None)


async def test_the_description_is_for_everybody(api: Any) -> None:
    answer = await api.send("GET", "/admin/v1/openapi.json")
    assert answer.status == 200
    document = answer.json
    assert document["openapi"] == "3.1.0"
    assert {(method.upper(), path) for path, methods in document["paths"].items() for method in methods} == {
        (operation.method, operation.path) for operation in OPERATIONS
    }
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)
    text = json.dumps(document)
    assert "patternErrorMessage" not in text
    identifiers = [
        operation["operationId"] for methods in document["paths"].values() for operation in methods.values()
    ]
    assert len(set(identifiers)) == len(identifiers)
    references = {part.split('"')[0] for part in text.split('"$ref": "#/components/schemas/')[1:]}
    assert references <= set(document["components"]["schemas"])
