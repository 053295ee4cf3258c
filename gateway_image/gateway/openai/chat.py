"""Decodes the bodies of OpenAI chat completion requests."""

from gateway.decoding import RequestDecoder
from gateway.errors import invalid_request
from gateway.openai.chat_types import ChatCompletionRequest, ChatEnvelope

_API = "chat completions"

_decode_envelope = RequestDecoder(ChatEnvelope, _API)

# The whole request, for providers that have to understand all of it; raises GatewayError 400 naming the field
# at fault, also for fields that chat completions do not have.
decode_chat_request = RequestDecoder(ChatCompletionRequest, _API)


def decode_envelope(body: bytes, *, model: str | None = None) -> ChatEnvelope:
    """What the gateway itself has to know of a request; the rest is left to the provider.

    model: the one that the URL's path names, which goes before the body's. Raises GatewayError 400 naming the
    field at fault.
    """
    envelope = _decode_envelope(body)
    if envelope.stream_options is not None and not envelope.stream:
        message = "stream_options is allowed only with stream: true; set that or leave stream_options out."
        raise invalid_request(message, param="stream_options")
    if envelope.max_tokens is not None and envelope.max_completion_tokens is not None:
        message = "max_tokens and max_completion_tokens mean the same; send only max_completion_tokens."
        raise invalid_request(message, param="max_tokens", code="invalid_value")
    if model is not None:
        envelope.model = model
    if not envelope.model:
        raise invalid_request("model is required.", param="model", code="missing_required_parameter")
    return envelope
