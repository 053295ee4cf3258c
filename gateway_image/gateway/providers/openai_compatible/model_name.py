"""Puts the name that the caller used for a model in the place of the provider's name for it."""

import re

import msgspec

# In JSON a quote inside a string is escaped, so that this finds fields, never text that looks like one.
_MODEL_FIELD = re.compile(rb'"model"\s*:\s*("(?:[^"\\]|\\.)*")')

_encode = msgspec.json.Encoder().encode


def model_field(name: str) -> bytes:
    """The field that names a model, as JSON."""
    return b'"model":' + _encode(name)


def find_model_field(document: bytes, name: str) -> bytes | None:
    """The field that names the model, as it stands in a provider's JSON; None if it is written unusually."""
    value = _encode(name)
    return next((match[0] for match in _MODEL_FIELD.finditer(document) if match[1] == value), None)


def rename_model(document: bytes, provider_name: str | None, name: str) -> bytes:
    """A provider's JSON with another name for the model."""
    field = None if provider_name is None else find_model_field(document, provider_name)
    return document if field is None else document.replace(field, model_field(name))
