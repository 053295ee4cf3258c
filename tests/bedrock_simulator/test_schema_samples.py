"""Tool inputs conform to the tool's schema."""

from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.bedrock_simulator.schema_sample import sample

_SCALARS = st.one_of(
    st.just({"type": "string"}),
    st.builds(
        lambda least: {"type": "string", "minLength": least, "maxLength": least + 3}, st.integers(0, 12)
    ),
    st.builds(lambda least: {"type": "integer", "minimum": least}, st.integers(-50, 50)),
    st.builds(lambda most: {"type": "number", "maximum": most}, st.integers(-50, 50)),
    st.builds(
        lambda least: {"type": "integer", "exclusiveMinimum": least, "multipleOf": 3}, st.integers(-50, 50)
    ),
    st.just({"type": "boolean"}),
    st.just({"type": ["null", "string"]}),
    st.builds(lambda values: {"enum": values}, st.lists(st.text(), min_size=1, max_size=3)),
    st.builds(lambda value: {"const": value}, st.integers()),
)


def _objects(schemas: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(st.sampled_from("abcd"), schemas).map(
        lambda properties: {"type": "object", "properties": properties, "required": sorted(properties)}
    )


_SCHEMAS = st.recursive(
    _SCALARS,
    lambda schemas: st.one_of(
        _objects(schemas),
        st.builds(
            lambda item, least: {"type": "array", "items": item, "minItems": least},
            schemas,
            st.integers(0, 3),
        ),
        st.lists(schemas, min_size=1, max_size=3).map(lambda options: {"anyOf": options}),
        st.lists(_objects(schemas), min_size=1, max_size=1).map(lambda parts: {"allOf": parts}),
    ),
    max_leaves=8,
)


@given(schema=_objects(_SCHEMAS))
def test_samples_conform_to_any_schema(schema: dict[str, Any]) -> None:
    jsonschema.validate(sample(schema), schema)


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({}, {}),
        ({"type": "object", "properties": {"a": {"type": "string"}}}, {}),
        ({"properties": {"a": {}}, "required": ["a"]}, {"a": {}}),
        (
            {
                "$defs": {"p": {"type": "integer", "minimum": 4}},
                "properties": {"a": {"$ref": "#/$defs/p"}},
                "required": ["a"],
            },
            {"a": 4},
        ),
        ({"properties": {"a": {"type": "string", "default": "x"}}, "required": ["a"]}, {"a": "x"}),
    ],
)
def test_samples_are_small(schema: dict[str, Any], expected: dict[str, Any]) -> None:
    assert sample(schema) == expected


def test_a_schema_that_contains_itself_ends() -> None:
    node = {"type": "object", "properties": {"next": {"$ref": "#"}}, "required": ["next"]}

    assert isinstance(sample(node), dict)
