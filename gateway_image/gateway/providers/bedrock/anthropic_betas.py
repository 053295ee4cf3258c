"""Anthropic's beta flags on Bedrock.

Bedrock refuses a whole request for one flag that it does not know ("invalid beta flag"), and clients such as
Claude Code name in a header whatever Anthropic's own API understands. Of a header, therefore, only those
flags are passed on that Bedrock knows. No feature is lost unseen by that: a field that needs another flag is
refused by the model, by its name. Flags in the body's anthropic_beta, Bedrock's own field, go as they are.
"""

from collections.abc import Iterable

import msgspec

from gateway.errors import invalid_request

# A flag that is missing here costs a caller its feature, one too many the whole request.
_KNOWN_TO_BEDROCK = frozenset(
    {
        "compact-2026-01-12",
        "computer-use-2024-10-22",
        "computer-use-2025-01-24",
        "computer-use-2025-11-24",
        "context-1m-2025-08-07",
        "context-management-2025-06-27",
        "dev-full-thinking-2025-05-14",
        "effort-2025-11-24",
        "fine-grained-tool-streaming-2025-05-14",
        "interleaved-thinking-2025-05-14",
        "output-128k-2025-02-19",
        "token-efficient-tools-2025-02-19",
        "tool-examples-2025-10-29",
        "tool-search-tool-2025-10-19",
    }
)
_NAMES_AT_BEDROCK = {"advanced-tool-use-2025-11-20": "tool-search-tool-2025-10-19"}

_decode = msgspec.json.Decoder(list[str]).decode


def betas_for_bedrock(header: str | None, in_body: msgspec.Raw | None) -> list[str]:
    """The flags to send, each once, from a caller's anthropic-beta header and the body's field.

    Raises GatewayError 400 if the field is no list of text.
    """
    flags = [*_known(header.split(",") if header else ()), *_listed(in_body)]
    return list(dict.fromkeys(flags))


def _known(flags: Iterable[str]) -> Iterable[str]:
    for flag in flags:
        name = flag.strip()
        name = _NAMES_AT_BEDROCK.get(name, name)
        if name in _KNOWN_TO_BEDROCK:
            yield name


def _listed(in_body: msgspec.Raw | None) -> list[str]:
    if in_body is None:
        return []
    try:
        return _decode(in_body)
    except msgspec.ValidationError:
        message = "anthropic_beta is not a list of flags; send a list such as ['context-1m-2025-08-07']."
        raise invalid_request(message, param="anthropic_beta", code="invalid_value") from None
