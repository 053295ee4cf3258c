"""What docs/api.md says of the fields of requests."""

from pathlib import Path

import msgspec
import pytest

from gateway.openai.chat_types import ChatCompletionRequest
from gateway.openai.responses_types import ResponsesRequest

API = (Path(__file__).parents[3] / "docs" / "api.md").read_text()


@pytest.mark.parametrize(
    ("request_type", "section"),
    [(ChatCompletionRequest, "## Chat completions through Converse"), (ResponsesRequest, "## Responses")],
)
def test_every_field_is_documented(request_type: type[msgspec.Struct], section: str) -> None:
    text = API.split(f"\n{section}\n")[1].split("\n## ")[0]
    missing = [
        field
        for field in request_type.__struct_fields__
        if field != "model" and f"`{field}`" not in text and f"`{field}." not in text
    ]
    assert missing == []
