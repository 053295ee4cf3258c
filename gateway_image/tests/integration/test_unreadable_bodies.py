"""Bodies that are no JSON objects, at every path that takes one: the caller's error, never the gateway's."""

from typing import Any

import pytest

from gateway.openapi.operations import OPERATIONS

PATHS = [operation.path for operation in OPERATIONS if operation.body is not None]
BODIES = {
    "empty": b"",
    "no JSON": b"\x00",
    "cut": b'{"model": "claude", "max_tokens": 1, "input": "x", "messages": [',
    "array": b"[]",
    "text": b'"claude"',
    "a name that is not UTF-8": b'{"model": "claude", "max_tokens": 1, "\xff": 1}',
    "a value that is not UTF-8": b'{"model": "claude", "max_tokens": 1, "x": "\xed\xa0\x80"}',
    "half a character": b'{"model": "claude", "max_tokens": 1, "x": "\\ud800"}',
}


@pytest.mark.parametrize("path", PATHS)
def test_they_are_refused(gateway: Any, path: str) -> None:
    for name, body in BODIES.items():
        status, headers, _ = gateway.request("POST", path.replace("{model}", "claude"), body)
        assert status == 400, name
        record = gateway.record(headers["x-request-id"])
        # Read as JSON, that is what is wrong; read as an object, that it has no fields.
        assert record["error_code"] in {"invalid_json", "invalid_value"}, name
