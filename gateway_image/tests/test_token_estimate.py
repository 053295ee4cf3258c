"""Estimates of prompts: near what tokenizers make of them, not fooled by what only looks like a file."""

import base64
import json
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.token_estimate import IMAGE_TOKENS, estimate

# However slow the machine is.
_unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 200).decode()
JPEG = base64.b64encode(b"\xff\xd8\xff\xe0" + bytes(range(255, -1, -1)) * 200).decode()
GIF = base64.b64encode(b"GIF89a" + bytes(50_000)).decode()
WEBP = base64.b64encode(b"RIFF\x10\x00\x00\x00WEBP" + bytes(50_000)).decode()
PDF = base64.b64encode(b"%PDF-1.7\n" + bytes(range(256)) * 400).decode()

ENGLISH = (
    "A budget is reserved before the model has counted anything, so the estimate has to hold for prose like "
    "this, and it must not be so high that small budgets are refused what they could easily pay for. "
) * 20
CODE = (
    'def area(self, width: int) -> float:\n    """The area."""\n    return self._factors[width] * 0.5\n' * 30
)
CHINESE = "人工智能正在改变我们的生活方式。每一个请求都要经过网关，由它决定哪一个模型来回答。" * 20


def chat(content: Any, **fields: Any) -> bytes:
    body = {"model": "m", "messages": [{"role": "user", "content": content}], **fields}
    return json.dumps(body, ensure_ascii=False).encode()


# How many tokens OpenAI's (cl100k, o200k), DeepSeek's or an early Claude tokenizer makes of it, the most.
@pytest.mark.parametrize(
    ("text", "tokens"), [(ENGLISH, 821), (CODE, 930), (CHINESE, 800)], ids=["English", "code", "Chinese"]
)
def test_prose_and_code_are_estimated_rather_high_but_not_at_twice_their_size(text: str, tokens: int) -> None:
    assert tokens <= estimate(chat(text)) <= 2.5 * tokens


def test_a_text_without_words_takes_more_tokens_than_one_of_words() -> None:
    random = Random(3)
    hexadecimal = random.randbytes(len(ENGLISH) // 2).hex()
    assert estimate(chat(hexadecimal)) > 1.4 * estimate(chat(ENGLISH))


def test_escapes_count_as_the_characters_they_stand_for() -> None:
    body = json.loads(chat(CHINESE))
    escaped = json.dumps(body, ensure_ascii=True).encode()
    assert len(escaped) > 1.5 * len(chat(CHINESE))
    assert estimate(escaped) == pytest.approx(estimate(chat(CHINESE)), rel=0.1)


def test_broken_escapes_count_as_they_stand() -> None:
    assert estimate(b'{"a":"' + b"\\uzzzz" * 1000 + b'"}') > 1000


def _chat_image(data: str, kind: str = "png") -> Any:
    return {"type": "image_url", "image_url": {"url": f"data:image/{kind};base64,{data}", "detail": "high"}}


def _response_image(data: str) -> Any:
    return {"type": "input_image", "image_url": f"data:image/png;base64,{data}"}


def _message_image(data: str) -> Any:
    return {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}}


@pytest.mark.parametrize(
    "image",
    [
        _chat_image(PNG),
        _chat_image(JPEG, "jpeg"),
        _chat_image(GIF, "gif"),
        _chat_image(WEBP, "webp"),
        _response_image(PNG),
        _message_image(PNG),
        _message_image(JPEG),
    ],
)
@pytest.mark.parametrize("escaped", [False, True])
def test_an_image_counts_as_one_however_large_its_file(image: Any, escaped: bool) -> None:
    body = chat([image, {"type": "text", "text": "?"}])
    if escaped:
        body = body.replace(b"/", b"\\/")
    assert IMAGE_TOKENS < estimate(body) < IMAGE_TOKENS + 300
    two = chat([image, image, {"type": "text", "text": "?"}])
    assert 2 * IMAGE_TOKENS < estimate(two) < 2 * IMAGE_TOKENS + 400


@pytest.mark.parametrize(
    "image",
    [
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
        {"type": "input_image", "image_url": "https://example.com/a.png"},
        {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
    ],
)
def test_an_image_at_a_url_counts_as_one(image: Any) -> None:
    assert 3 * IMAGE_TOKENS < estimate(chat([image] * 3)) < 3 * IMAGE_TOKENS + 500


def test_a_document_counts_by_its_size() -> None:
    document = {"type": "file", "file": {"file_data": f"data:application/pdf;base64,{PDF}"}}
    source = {"type": "base64", "media_type": "application/pdf", "data": PDF}
    for body in (chat([document]), chat([{"type": "document", "source": source}])):
        assert len(PDF) / 4 < estimate(body) < len(PDF) / 4 + 300


def test_a_huge_document_counts_as_the_longest_prompt() -> None:
    source = {"type": "base64", "media_type": "application/pdf", "data": "JVBERi" + "A" * 8_000_000}
    assert 1_000_000 < estimate(chat([{"type": "document", "source": source}])) < 1_001_000


@pytest.mark.parametrize(
    "text",
    [
        "/9j/" + ENGLISH,
        "iVBORw0KGgo" + "A" * 4000,
        f'"url": "data:image/png;base64,{PNG}"',
        f'{{"data":"{PNG}"}}',
        f"data:image/png;base64,{PNG}",
    ],
)
def test_a_text_that_looks_like_an_image_counts_as_text(text: str) -> None:
    plain = text.replace("iVBOR", "xVBOR").replace("/9j/", "/8j/")
    assert estimate(chat(text)) == pytest.approx(estimate(chat(plain)), abs=2)


@pytest.mark.parametrize("key", ["url", "data", "image_url", "file_data"])
def test_what_is_no_base64_is_no_file_wherever_it_stands(key: str) -> None:
    text = "/9j/ " + 20 * ENGLISH
    assert estimate(chat(text)) > 2 * IMAGE_TOKENS
    assert estimate(chat([{key: text}])) >= estimate(chat(text))


def test_tools_bring_a_prompt_of_their_own() -> None:
    tool = {"type": "function", "function": {"name": "now", "parameters": {"type": "object"}}}
    assert estimate(chat("?", tools=[tool])) > estimate(chat("?")) + 1000


@_unhurried
@given(st.binary(max_size=300))
def test_any_bytes_have_an_estimate(body: bytes) -> None:
    assert estimate(body) >= 1


@_unhurried
@given(st.text(max_size=200), st.text(max_size=200))
def test_more_text_is_never_fewer_tokens(text: str, more: str) -> None:
    # Escapes are taken for what they stand for where there are many: the texts of this test have none.
    text, more = text.replace("\\", ""), more.replace("\\", "")
    assert estimate(text.encode(errors="replace")) <= estimate((text + more).encode(errors="replace")) + 1


def test_thousands_of_files_are_not_looked_into_one_by_one() -> None:
    body = b'{"data":"/9j/aaaa"},' * 5000
    assert 1000 * IMAGE_TOKENS < estimate(body) < 1001 * IMAGE_TOKENS + len(body)
