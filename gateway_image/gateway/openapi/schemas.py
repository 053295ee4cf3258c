"""JSON Schemas of the types that requests are decoded with and answers are made of."""

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

Json = dict[str, Any]


def reference(group: str, name: str) -> Json:
    """What stands for a component's schema elsewhere."""
    return {"$ref": f"#/components/schemas/{group}.{name}"}


def components(groups: Mapping[str, Sequence[type[msgspec.Struct]]]) -> dict[str, Json]:
    """The schemas of all types and of those they consist of, by component name.

    Types of different APIs have the same names, so that a component's name begins with its group's.
    """
    found: dict[str, Json] = {}
    for group, types in groups.items():
        _, schemas = msgspec.json.schema_components(
            types, ref_template=f"#/components/schemas/{group}.{{name}}"
        )
        found |= {f"{group}.{name}": _public(schema) for name, schema in schemas.items()}
    return dict(sorted(found.items()))


def _public(schema: Any) -> Any:
    """A schema as callers see it.

    Whether further fields are refused depends on the provider: one that has an API itself gets them all.
    """
    if isinstance(schema, list):
        return [_public(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    public = {name: _public(value) for name, value in schema.items()}
    if public.get("additionalProperties") is False:
        del public["additionalProperties"]
    if isinstance(text := public.get("description"), str):
        public["description"] = inspect.cleandoc(text)
    return public
