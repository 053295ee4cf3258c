"""Finds the part of a JSON Schema that describes a place in a document, and the place an error is about.

Where a value may be one of several kinds, told apart by a tag in it (a deployment's `provider`), the schema
has a `discriminator`. The document's own tag then says which kind describes the value.
"""

from typing import Any

Schema = dict[str, Any]
Path = tuple[str | int, ...]


def schema_at(root: Schema, path: Path, data: Any = None) -> Schema:
    """Return the part of a schema that describes the value at a path; empty where it describes none."""
    here = _described(root, root, data)
    for part in path:
        data = _child_value(data, part)
        here = _described(root, _child_schema(here, part), data)
    return here


def document_path(root: Schema, location: Path) -> Path:
    """Turn the location of one of pydantic's errors into the document's path.

    pydantic also names the kind that it tried for a value, and says `[key]` for a key.
    """
    path: Path = ()
    here = resolved(root, root)
    for part in location:
        if "discriminator" in here:
            here = resolved(root, {"$ref": here["discriminator"]["mapping"][part]})
        elif "anyOf" in here or part == "[key]":
            break
        else:
            path = (*path, part)
            here = resolved(root, _child_schema(here, part))
    return path


def resolved(root: Schema, schema: Schema) -> Schema:
    """Follow a reference, and leave out null where a value may be absent."""
    named = [kind for kind in schema.get("anyOf", []) if kind != {"type": "null"}]
    if len(named) == 1:
        schema = _merged(schema, named[0], without="anyOf")
    if "$ref" not in schema:
        return schema
    return _merged(schema, root["$defs"][schema["$ref"].removeprefix("#/$defs/")], without="$ref")


def _described(root: Schema, schema: Schema, data: Any) -> Schema:
    here = resolved(root, schema)
    if "discriminator" not in here or not isinstance(data, dict):
        return here
    tag = data.get(here["discriminator"]["propertyName"])
    kinds = here["discriminator"]["mapping"]
    return resolved(root, {"$ref": kinds[tag]}) if isinstance(tag, str) and tag in kinds else here


def _child_schema(schema: Schema, part: str | int) -> Schema:
    if isinstance(part, int):
        found = schema.get("items")
    elif part == schema.get("discriminator", {}).get("propertyName"):
        found = {"enum": list(schema["discriminator"]["mapping"])}
    elif "patternProperties" in schema:
        (found,) = schema["patternProperties"].values()
    else:
        found = schema.get("properties", {}).get(part)
    return found or {}


def _child_value(data: Any, part: str | int) -> Any:
    if isinstance(data, dict):
        return data.get(part)
    return data[part] if isinstance(data, list) and isinstance(part, int) and part < len(data) else None


def _merged(schema: Schema, target: Schema, *, without: str) -> Schema:
    return {**target, **{keyword: value for keyword, value in schema.items() if keyword != without}}
