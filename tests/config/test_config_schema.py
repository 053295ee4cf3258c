"""The schemas that others read: editors, and AWS AppConfig's validator."""

import json
from collections.abc import Callable
from typing import Annotated, Any

import pytest
from jsonschema import Draft4Validator
from pydantic import BaseModel, Field

from stacks.config.draft_4 import draft_4
from stacks.config.files import CONFIG_DIRECTORY, environment_names
from stacks.config.load import load_catalog, load_environment
from stacks.config.schema import catalog_validator_schema, editor_schemas

APPCONFIG_VALIDATOR_LIMIT_CHARACTERS = 32_768


@pytest.fixture
def catalog() -> dict[str, Any]:
    loaded: dict[str, Any] = load_catalog("prod").model_dump(mode="json")
    return loaded


@pytest.mark.parametrize("name", ["environment.json", "catalog.json"])
def test_the_committed_schemas_are_current(name: str) -> None:
    committed = (CONFIG_DIRECTORY / "schema" / name).read_text(encoding="utf-8")
    assert committed == editor_schemas()[name], "run: python -m stacks.config.schema"


@pytest.mark.parametrize("name", environment_names())
def test_every_file_names_its_schema_for_editors(name: str) -> None:
    for file in (CONFIG_DIRECTORY / f"{name}.yaml", CONFIG_DIRECTORY / "models" / f"{name}.yaml"):
        first_line = file.read_text(encoding="utf-8").splitlines()[0]
        schema = first_line.removeprefix("# yaml-language-server: $schema=")
        assert (file.parent / schema).is_file()


def test_appconfig_s_validator_is_draft_4_and_fits() -> None:
    schema = catalog_validator_schema()
    Draft4Validator.check_schema(schema)
    assert schema["$schema"] == "http://json-schema.org/draft-04/schema#"
    assert len(json.dumps(schema)) < APPCONFIG_VALIDATOR_LIMIT_CHARACTERS


@pytest.mark.parametrize("name", environment_names())
def test_the_validator_accepts_every_catalog(name: str) -> None:
    validator, loaded = Draft4Validator(catalog_validator_schema()), load_catalog(name)
    validator.validate(loaded.model_dump(mode="json"))
    validator.validate(loaded.model_dump(mode="json", exclude_none=True))


def _deployment(catalog: dict[str, Any]) -> dict[str, Any]:
    deployment: dict[str, Any] = catalog["models"][0]["deployments"][0]
    return deployment


@pytest.mark.parametrize(
    "breakage",
    [
        lambda catalog: catalog.clear(),
        lambda catalog: catalog["models"].clear(),
        lambda catalog: catalog.update(extra=1),
        lambda catalog: catalog["models"][0].pop("deployments"),
        lambda catalog: catalog["models"][0].update(max_output_tokens=0),
        lambda catalog: catalog["models"][0].update(max_output_tokens="4096"),
        lambda catalog: _deployment(catalog).update(provider="openai"),
        lambda catalog: _deployment(catalog).update(region="Frankfurt"),
        lambda catalog: _deployment(catalog).update(model_id="no model"),
        lambda catalog: _deployment(catalog).update(regoin="us-east-1"),
        lambda catalog: _deployment(catalog).update(base_url="https://api.example.com"),
        lambda catalog: catalog["models"][0].update(strategy={"kind": "random"}),
        lambda catalog: catalog["models"][0].update(strategy={"kind": "percentage", "shares": {"A B": 100}}),
        lambda catalog: catalog["models"][0].update(strategy={"kind": "percentage", "shares": {"a": 0}}),
        lambda catalog: catalog["models"][0].update(response_cache={"ttl_seconds": 0}),
        lambda catalog: _deployment(catalog)["time_limits"].update(connect_seconds=0),
    ],
)
def test_the_validator_refuses_a_broken_catalog(
    catalog: dict[str, Any], breakage: Callable[[dict[str, Any]], None]
) -> None:
    breakage(catalog)
    assert not Draft4Validator(catalog_validator_schema()).is_valid(catalog)


class _Bounded(BaseModel):
    above: Annotated[float, Field(gt=1, lt=2)]


@pytest.mark.parametrize(("value", "is_valid"), [(1, False), (1.5, True), (2, False)])
def test_exclusive_bounds_stay_exclusive_in_draft_4(value: float, is_valid: bool) -> None:
    assert Draft4Validator(draft_4(_Bounded.model_json_schema())).is_valid({"above": value}) is is_valid


def test_a_keyword_that_draft_4_might_lack_is_never_dropped_in_silence() -> None:
    with pytest.raises(ValueError, match="'prefixItems'"):
        draft_4({"type": "array", "prefixItems": []})


def test_a_model_s_own_defaults_and_examples_are_valid() -> None:
    schema = json.loads(editor_schemas()["environment.json"])
    parts = [schema, *schema["$defs"].values()]
    fields = [field for part in parts for field in part["properties"].values()]
    shown = [(field, value) for field in fields for value in [*field.get("examples", [])]]
    assert shown
    for field, value in shown:
        Draft4Validator({**field, "$defs": schema["$defs"]}).validate(value)
    assert load_environment("dev")
