"""JSON without superfluous white space, as Bedrock writes it."""

import json

_ENCODER = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False)


def compact_json(value: object) -> str:
    """A value as JSON text."""
    return _ENCODER.encode(value)
