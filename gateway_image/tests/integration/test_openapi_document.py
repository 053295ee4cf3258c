"""The OpenAPI document that a real gateway serves."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis

from gateway.admin.operations import OPERATIONS as ADMIN_OPERATIONS
from gateway.admin.routes import DOCUMENT_PATH
from gateway.openapi import DOCUMENT
from gateway.openapi.document import document
from gateway.openapi.operations import OPERATIONS

PATHS = json.loads(DOCUMENT.read_bytes())["paths"]
CLOSED = sorted({operation.path for operation in OPERATIONS if not operation.public})


def test_the_committed_document_is_current() -> None:
    assert DOCUMENT.read_bytes() == document(), "run: python -m gateway.openapi"


def test_everybody_may_read_it(gateway: Any) -> None:
    status, headers, body = gateway.request("GET", "/openapi.json", authorization="")
    assert (status, headers["content-type"]) == (200, "application/json")
    assert body == DOCUMENT.read_bytes()


def test_it_has_every_path_of_the_gateway_and_no_other(gateway: Any) -> None:
    _, _, body = gateway.request("GET", "/nowhere")
    there = json.loads(body)["error"]["message"].partition("; there is ")[2].removesuffix(".").split(", ")
    # The admin API has a document of its own, which describes callers' own limits and usage, too.
    described_there = {operation.path for operation in ADMIN_OPERATIONS} | {DOCUMENT_PATH}
    assert set(PATHS) == set(there) - {"/openapi.json"} - described_there


@pytest.mark.parametrize("path", PATHS)
def test_it_has_every_method_of_a_path_and_no_other(gateway: Any, path: str) -> None:
    status, headers, _ = gateway.request("TRACE", path.replace("{model}", "claude"))
    assert status == 405
    assert {method.lower() for method in headers["allow"].split(", ")} == set(PATHS[path])


@pytest.mark.parametrize("path", CLOSED)
def test_without_a_key_the_answer_is_the_documented_error(gateway: Any, path: str) -> None:
    (method,) = PATHS[path]
    status, headers, body = gateway.request(
        method.upper(), path.replace("{model}", "claude"), b"{}", authorization=""
    )
    assert (status, headers["www-authenticate"]) == (401, "Bearer")
    assert ("request_id" in json.loads(body)) is path.startswith("/v1/messages")


def test_it_is_openapi_3_1() -> None:
    schemathesis.openapi.from_dict(json.loads(DOCUMENT.read_bytes())).validate()


def test_whatever_it_refers_to_is_there() -> None:
    whole = json.loads(DOCUMENT.read_bytes())
    for reference in set(_references(whole)):
        target = whole
        for step in reference.removeprefix("#/").split("/"):
            target = target[step]
        assert target


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(reference := value.get("$ref"), str):
            yield reference
        for each in value.values():
            yield from _references(each)
    elif isinstance(value, list):
        for each in value:
            yield from _references(each)
