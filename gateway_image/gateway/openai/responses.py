"""The OpenAI Responses API, whoever answers it: the envelope of a request, and an error in a stream."""

import msgspec

from gateway.decoding import RequestDecoder
from gateway.errors import GatewayError, invalid_request
from gateway.openai.responses_types import ResponsesEnvelope

API = "responses"

_decode_envelope = RequestDecoder(ResponsesEnvelope, API)
_encode = msgspec.json.Encoder().encode


def decode_envelope(body: bytes, *, model: str | None = None) -> ResponsesEnvelope:
    """What the gateway itself has to know of a request; the rest is left to the provider.

    model: the one that the URL's path names, which goes before the body's. Raises GatewayError 400 naming the
    field at fault.
    """
    envelope = _decode_envelope(body)
    if envelope.background:
        message = "background is not supported: there is no way here to fetch the answer later; leave it out."
        raise invalid_request(message, param="background", code="unsupported_parameter")
    if model is not None:
        envelope.model = model
    if not envelope.model:
        raise invalid_request("model is required.", param="model", code="missing_required_parameter")
    return envelope


def error_event(error: GatewayError) -> bytes:
    """The last event of a stream that breaks, as this API has it, and `error` as in the body of an answer.

    OpenAI's clients raise an exception only for the latter.
    """
    about = {"message": error.message, "type": error.type, "param": error.param, "code": error.code}
    event = {
        "type": "error",
        "code": error.code,
        "message": error.message,
        "param": error.param,
        "error": about,
    }
    return b"event: error\ndata: " + _encode(event) + b"\n\n"
