"""Rewrites a JSON Schema of pydantic's (draft 2020-12) in draft 4, without what only describes."""

from stacks.config.schema_places import Schema

_RESTRICTS = {
    "additionalProperties",
    "enum",
    "maxItems",
    "maxLength",
    "maximum",
    "minItems",
    "minLength",
    "minimum",
    "pattern",
    "required",
    "type",
    "uniqueItems",
}
_DESCRIBES = {
    "$defs",
    "default",
    "description",
    "discriminator",  # the kinds under oneOf say the same
    "examples",
    "format",
    "patternErrorMessage",
    "title",
}


def draft_4(schema: Schema) -> Schema:
    """Return the schema in draft 4, with all definitions under `definitions`.

    Raises ValueError for a keyword this does not know, so that no restriction is lost in silence.
    """
    result = {"$schema": "http://json-schema.org/draft-04/schema#", **_rewritten(schema)}
    definitions = {name: _rewritten(definition) for name, definition in schema.get("$defs", {}).items()}
    return {**result, "definitions": definitions} if definitions else result


def _rewritten(schema: Schema) -> Schema:
    result: Schema = {}
    for keyword, value in schema.items():
        if keyword not in _DESCRIBES:
            result |= _keyword(keyword, value)
    return result


def _keyword(keyword: str, value: object) -> Schema:
    match keyword, value:
        case "const", _:
            return {"enum": [value]}
        case "exclusiveMinimum" | "exclusiveMaximum", _:
            return {keyword.removeprefix("exclusive").lower(): value, keyword: True}
        case "$ref", str():
            return {keyword: value.replace("#/$defs/", "#/definitions/")}
        case "properties", dict():
            return {keyword: {name: _rewritten(child) for name, child in value.items()}}
        case "items", dict():
            return {keyword: _rewritten(value)}
        case "anyOf" | "oneOf", list():
            return {keyword: [_rewritten(kind) for kind in value]}
        case "patternProperties", dict():
            children = {name: _rewritten(child) for name, child in value.items()}
            return {keyword: children, "additionalProperties": False}
        case "propertyNames", dict() if not _rewritten(value):
            return {}
        case _ if keyword in _RESTRICTS:
            return {keyword: value}
        case _:
            raise ValueError(
                f"draft_4 knows no way to write {keyword!r}: add it, or keep it out of the catalog's schema"
            )
