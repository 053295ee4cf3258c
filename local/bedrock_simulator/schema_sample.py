"""A value that conforms to a JSON schema, for tool calls; the same schema always gives the same value."""

from collections.abc import Mapping
from typing import Any

_MAX_DEPTH = 16


def sample(schema: Mapping[str, Any]) -> Any:
    """The smallest plain value of a schema: required properties only, least numbers, shortest lists.

    Knows const, default, enum, examples, type, properties, required, items, minItems, minimum,
    exclusiveMinimum, multipleOf, minLength, anyOf, oneOf, allOf and local $ref. Other keywords are ignored.
    """
    return _sample(schema, schema, 0)


def _sample(schema: Any, root: Mapping[str, Any], depth: int) -> Any:
    if not isinstance(schema, Mapping) or depth > _MAX_DEPTH:
        return None
    given = [schema[keyword] for keyword in ("const", "default") if keyword in schema]
    given += [schema[keyword][0] for keyword in ("enum", "examples") if schema.get(keyword)]
    if given:
        return given[0]
    if "$ref" in schema:
        return _sample(_resolve(schema["$ref"], root), root, depth + 1)
    if alternatives := schema.get("anyOf") or schema.get("oneOf"):
        return _sample(alternatives[0], root, depth + 1)
    if parts := schema.get("allOf"):
        values = [_sample(part, root, depth + 1) for part in parts]
        return {name: value for part in values if isinstance(part, dict) for name, value in part.items()}
    return _of_type(_type_of(schema), schema, root, depth)


def _type_of(schema: Mapping[str, Any]) -> str:
    declared = schema.get("type", "object" if "properties" in schema or not schema else "string")
    return str(declared[0] if isinstance(declared, list) else declared)


def _of_type(kind: str, schema: Mapping[str, Any], root: Mapping[str, Any], depth: int) -> Any:
    if kind == "object":
        properties = schema.get("properties", {})
        return {
            name: _sample(properties.get(name, {}), root, depth + 1) for name in schema.get("required", ())
        }
    if kind == "array":
        return [_sample(schema.get("items", {}), root, depth + 1) for _ in range(schema.get("minItems", 0))]
    if kind == "string":
        return "sample".ljust(schema.get("minLength", 0), ".")[: schema.get("maxLength", None)]
    if kind in ("integer", "number"):
        return _least_number(schema)
    return {"boolean": True, "null": None}.get(kind)


def _least_number(schema: Mapping[str, Any]) -> int | float:
    least: int | float = schema.get("minimum", schema.get("exclusiveMinimum", -1) + 1)
    if "maximum" in schema and least > schema["maximum"]:
        least = schema["maximum"]
    step: int | float | None = schema.get("multipleOf")
    return -(-least // step) * step if step else least


def _resolve(reference: str, root: Mapping[str, Any]) -> Any:
    node: Any = root
    for part in reference.removeprefix("#/").split("/"):
        if not isinstance(node, Mapping) or part not in node:
            return {}
        node = node[part]
    return node
