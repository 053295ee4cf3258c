"""A caller's request for a provider that speaks OpenAI's API: the fields as they came, for another model."""

from collections.abc import Callable, Mapping
from functools import partial

import msgspec
from msgspec import Raw

from gateway.call import Call, Operation
from gateway.errors import GatewayError, invalid_request
from gateway.providers import Usage
from gateway.providers.interface import StreamTranslation, UpstreamRequest
from gateway.providers.openai_compatible.chat_stream import ChatStream
from gateway.providers.openai_compatible.responses_stream import ResponsesStream
from gateway.providers.openai_compatible.whole_answers import (
    read_chat_completion,
    read_embeddings,
    read_response,
)

PATHS: Mapping[Operation, str] = {
    "chat_completions": "/chat/completions",
    "embeddings": "/embeddings",
    "responses": "/responses",
}
_READERS: Mapping[Operation, Callable[..., tuple[bytes, Usage | None]]] = {
    "chat_completions": read_chat_completion,
    "embeddings": read_embeddings,
    "responses": read_response,
}
_encode = msgspec.json.Encoder().encode
_decode_messages = msgspec.json.Decoder(list[dict[str, Raw]]).decode
_decode_options = msgspec.json.Decoder(dict[str, Raw] | None).decode


def body_for(call: Call, *, model: str | None, extra: Mapping[str, Raw] | None = None) -> bytes:
    """The caller's fields with the provider's name for the model, or none.

    extra holds fields that are sent whatever the caller says there. A streamed chat completion is asked for
    its usage. Raises GatewayError 400.
    """
    fields = {**call.fields, **(extra or {})}
    if model is None:
        fields.pop("model", None)
    else:
        fields["model"] = Raw(_encode(model))
    # Signed by another provider's model: of no use to this one, which may refuse a field it does not know.
    if b'"thinking_blocks"' in call.body and "messages" in fields:
        fields["messages"] = _without_thinking_blocks(fields["messages"])
    if call.stream and call.operation == "chat_completions":
        fields["stream_options"] = _with_usage(fields.get("stream_options"))
    return _encode(fields)


def upstream_request(
    call: Call,
    *,
    url: str,
    headers: Mapping[str, str],
    body: bytes,
    read_error: Callable[[int, Mapping[str, str], bytes], GatewayError],
    open_stream: Callable[[], StreamTranslation] | None = None,
    request_id_header: str = "x-request-id",
) -> UpstreamRequest:
    """The request, and how to read an answer in OpenAI's form.

    open_stream is for a provider that wraps its streams into something else.
    """
    return UpstreamRequest(
        url=url,
        headers=headers,
        body=body,
        read_whole=partial(_READERS[call.operation], model=call.model),
        open_stream=(open_stream or _open_stream(call)) if call.stream else None,
        read_error=read_error,
        request_id_header=request_id_header,
    )


def _open_stream(call: Call) -> Callable[[], StreamTranslation]:
    if call.operation == "responses":
        return partial(ResponsesStream, call.model)
    return partial(ChatStream, model=call.model, include_usage=call.include_usage)


def _without_thinking_blocks(messages: Raw) -> Raw:
    try:
        decoded = _decode_messages(messages)
    except msgspec.ValidationError:
        # The provider says best what is wrong with them.
        return messages
    for message in decoded:
        message.pop("thinking_blocks", None)
    return Raw(_encode(decoded))


def _with_usage(options: Raw | None) -> Raw:
    try:
        given = _decode_options(options) if options is not None else None
    except msgspec.ValidationError:
        raise invalid_request("stream_options must be an object.", param="stream_options") from None
    return Raw(_encode({**(given or {}), "include_usage": True}))
