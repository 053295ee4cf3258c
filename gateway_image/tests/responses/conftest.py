"""Helpers of the tests of Responses by chat completions."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from gateway.call import Call
from gateway.errors import GatewayError, provider_error
from gateway.openai.chat import decode_chat_request
from gateway.openai.responses_mapping import answer_by_chat
from gateway.providers import Usage
from gateway.providers.interface import StreamTranslation, UpstreamRequest

Json = dict[str, Any]
Mapped = Callable[..., Json]
Refused = Callable[..., GatewayError]
Answered = Callable[..., Json]
Streamed = Callable[..., "Recording"]
Restated = Callable[..., Callable[[GatewayError], GatewayError]]

USAGE = Usage(input_tokens=7, output_tokens=5)
CHAT_USAGE = {
    "prompt_tokens": 7,
    "completion_tokens": 5,
    "total_tokens": 12,
    "prompt_tokens_details": {"cached_tokens": 2},
    "completion_tokens_details": {"reasoning_tokens": 3},
}


class ChatStream:
    """A provider's stream: passes its bytes on, and ends at [DONE]."""

    def __init__(self) -> None:
        self.usage: Usage | None = None
        self.characters = 0
        self.content_begun = False
        self.complete = False
        self.error: GatewayError | None = None
        self._seen = b""

    def feed(self, chunk: bytes) -> bytes:
        self.content_begun = True
        self.characters += len(chunk)
        self._seen += chunk
        if self._seen.endswith(b"[DONE]\n\n"):
            self.complete, self.usage = True, USAGE
        return chunk

    def finish(self) -> bytes:
        if not self.complete:
            self.error = provider_error("The connection broke.", code="upstream_connection_lost")
        return b""


class Recording:
    """What a stream made of a chat completion's chunks."""

    def __init__(self, translation: StreamTranslation, output: bytes) -> None:
        self.translation = translation
        self.output = output

    @property
    def events(self) -> list[Json]:
        return list(_events(self.output))

    @property
    def kinds(self) -> list[str]:
        return [event["type"].removeprefix("response.") for event in self.events]


def _events(output: bytes) -> Iterator[Json]:
    for number, event in enumerate(output.decode().split("\n\n")[:-1]):
        kind, data = event.split("\n")
        fields = json.loads(data.removeprefix("data: "))
        assert kind == f"event: {fields['type']}"
        assert fields["sequence_number"] == number
        yield fields


def _prepare(fields: Json, requests: list[Json], error: GatewayError | None = None) -> UpstreamRequest:
    """What a Responses request is prepared as; the provider's error is `error`."""

    def prepare(chat: Call) -> UpstreamRequest:
        assert chat.operation == "chat_completions"
        assert (chat.stream, chat.include_usage) == (bool(fields.get("stream")), bool(fields.get("stream")))
        # What is asked for must be a chat completion request by OpenAI's own definition.
        decode_chat_request(chat.body)
        requests.append(json.loads(chat.body))
        return UpstreamRequest(
            url="http://provider.test",
            headers={},
            body=chat.body,
            read_whole=lambda body: (body, USAGE),
            open_stream=ChatStream if chat.stream else None,
            read_error=lambda status, headers, body: error or GatewayError(status, "x", type="api_error"),
            request_id_header="x-request-id",
        )

    body = json.dumps({"model": "m", "input": "Hi", **fields}).encode()
    call = Call(
        "responses",
        "m",
        body,
        stream=bool(fields.get("stream")),
        max_output_tokens=fields.get("max_output_tokens"),
    )
    return answer_by_chat(call, prepare)


@pytest.fixture(scope="session")
def mapped() -> Mapped:
    """The chat completion request that a Responses request, given as keyword arguments, is mapped to."""

    def mapped_to_chat(**fields: Any) -> Json:
        requests: list[Json] = []
        _prepare(fields, requests)
        return requests[0]

    return mapped_to_chat


@pytest.fixture(scope="session")
def refused() -> Refused:
    """The error that a Responses request is refused with; it must be a 400."""

    def refusal(**fields: Any) -> GatewayError:
        with pytest.raises(GatewayError) as caught:
            _prepare(fields, [])
        assert (caught.value.status, caught.value.type) == (400, "invalid_request_error")
        return caught.value

    return refusal


@pytest.fixture(scope="session")
def restated() -> Restated:
    """What the caller of a Responses request is told of a provider's error, given as a function."""

    def of_request(**fields: Any) -> Callable[[GatewayError], GatewayError]:
        def restate(error: GatewayError) -> GatewayError:
            return _prepare(fields, [], error).read_error(error.status, {}, b"")

        return restate

    return of_request


@pytest.fixture(scope="session")
def answered() -> Answered:
    """The Response made of a chat completion's message; `asked` holds the request's fields."""

    def respond(
        message: Json, *, finish_reason: str = "stop", asked: Json | None = None, **completion: Any
    ) -> Json:
        choice = {"index": 0, "message": {"role": "assistant", **message}, "finish_reason": finish_reason}
        body = {"object": "chat.completion", "choices": [choice], "usage": CHAT_USAGE, **completion}
        response, usage = _prepare(asked or {}, []).read_whole(json.dumps(body).encode())
        assert usage == USAGE
        return dict(json.loads(response))

    return respond


@pytest.fixture(scope="session")
def streamed() -> Streamed:
    """What becomes of a stream of deltas; `cut` is how many bytes arrive at once."""

    def stream(
        *deltas: Json, finish_reason: str | None = "stop", cut: int | None = None, **asked: Any
    ) -> Recording:
        body = _chunks(deltas, finish_reason)
        upstream = _prepare({"stream": True, **asked}, [])
        assert upstream.open_stream is not None
        translation = upstream.open_stream()
        size = cut or len(body)
        pieces = [body[start : start + size] for start in range(0, len(body), size)]
        output = b"".join(translation.feed(piece) for piece in pieces) + translation.finish()
        return Recording(translation, output)

    return stream


def _chunks(deltas: tuple[Json, ...], finish_reason: str | None) -> bytes:
    """The stream of a completion; it is cut before its end if it has no finish reason."""
    choices = [[{"index": 0, "delta": delta, "finish_reason": None}] for delta in deltas]
    chunks: list[Json] = [{"choices": choice} for choice in choices]
    if finish_reason is not None:
        chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": finish_reason}]})
        chunks.append({"choices": [], "usage": CHAT_USAGE, "service_tier": "default"})
    lines = [b"data: " + json.dumps(chunk, ensure_ascii=False).encode() for chunk in chunks]
    return b"\n\n".join([*lines, *([b"data: [DONE]"] if finish_reason is not None else [])]) + b"\n\n"
