"""Says in words what a JSON Schema allows, and gives examples. Editors read the same schemas."""

import json
from typing import Any

import yaml

from stacks.config.schema_places import Schema, resolved

_LONGEST_SHOWN = 60


def choices(schema: Schema) -> list[Any]:
    """Return the values a schema lists; empty for one that lists none."""
    return list(schema.get("enum", [schema["const"]] if "const" in schema else []))


def allowed(schema: Schema) -> str:
    """Say in words what values a schema allows."""
    if listed := choices(schema):
        return either(listed)
    if "patternErrorMessage" in schema:
        return str(schema["patternErrorMessage"])
    if schema.get("format") == "ipv4network":
        return "an IPv4 network: an address, a slash and the length of its prefix"
    if schema.get("format") == "ipvanynetwork":
        return "an IPv4 or IPv6 network: an address, a slash and the length of its prefix"
    if "discriminator" in schema:
        tag = schema["discriminator"]
        return f"a mapping with {tag['propertyName']}: {either(list(tag['mapping']))}"
    if "anyOf" in schema:
        return ", or ".join(allowed(kind) for kind in schema["anyOf"])
    return _allowed_by_type(schema)


def _allowed_by_type(schema: Schema) -> str:
    match schema.get("type"):
        case "integer":
            return f"a whole number{_bounds(schema, 'minimum', 'maximum')}"
        case "number":
            return f"a number{_bounds(schema, 'minimum', 'maximum')}"
        case "boolean":
            return "true or false"
        case "array":
            return f"a list, length{_bounds(schema, 'minItems', 'maxItems')}"
        case "object" if "properties" in schema:
            return f"a mapping with the keys {', '.join(schema['properties'])}"
        case "object":
            return "a mapping"
        case _:
            length = _bounds(schema, "minLength", "maxLength")
            return f"text, length{length}" if length else "text"


def example(root: Schema, schema: Schema) -> str:
    """Write a value that a schema allows, as YAML on one line."""
    return as_yaml(_example(root, schema))


def as_yaml(value: Any) -> str:
    """Write a value as YAML on one line."""
    text: str = yaml.safe_dump(
        value, default_flow_style=True, sort_keys=False, width=float("inf"), allow_unicode=True
    )
    text = text.removesuffix("\n").removesuffix("\n...")
    return text if text.isprintable() else json.dumps(value)  # JSON is YAML too and escapes line breaks


def shown(value: Any) -> str:
    """Write a value that someone gave, as YAML on one short line."""
    if isinstance(value, dict):
        return "a mapping"
    text = as_yaml(list(value) if isinstance(value, tuple) else value)
    if len(text) <= _LONGEST_SHOWN:
        return text
    return f"a list of {len(value)}" if isinstance(value, list) else f"{text[:_LONGEST_SHOWN]}…"


def either(values: list[Any]) -> str:
    """List alternatives: a, b or c."""
    words = [as_yaml(value) for value in values]
    return f"{', '.join(words[:-1])} or {words[-1]}" if len(words) > 1 else words[0]


def _example(root: Schema, schema: Schema) -> Any:
    schema = resolved(root, schema)
    if "examples" in schema:
        return schema["examples"][0]
    if "discriminator" in schema:
        tag = schema["discriminator"]
        if "default" in schema:
            return schema["default"]
        name, kind = next(iter(tag["mapping"].items()))
        return {tag["propertyName"]: name} | _example(root, {"$ref": kind})
    if listed := choices(schema):
        return listed[0]
    match schema.get("type"):
        case "object":
            return {key: _example(root, schema["properties"][key]) for key in schema.get("required", [])}
        case "array":
            return [_example(root, schema["items"])]
        case "boolean":
            return True
        case "integer" | "number":
            return schema.get("default", schema.get("minimum", schema.get("maximum", 1)))
        case _:
            return schema.get("default", "text")


def _bounds(schema: Schema, lower: str, upper: str) -> str:
    low, high, above = schema.get(lower), schema.get(upper), schema.get("exclusiveMinimum")
    if low is not None and high is not None:
        return f" {low}" if low == high else f" from {low} to {high}"
    if above is not None:
        return f" above {above}" + (f" and at most {high}" if high is not None else "")
    if high is not None:
        return f" at most {high}"
    return f" at least {low}" if low is not None else ""
