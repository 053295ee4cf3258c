"""JSON Schemas of the configuration: for editors, and for the validator that AWS AppConfig runs.

`python -m stacks.config.schema` writes config/schema/*.json.
"""

import json

from pydantic import BaseModel

from gateway.catalog import Catalog
from stacks.config.draft_4 import draft_4
from stacks.config.files import CONFIG_DIRECTORY
from stacks.config.model import Environment
from stacks.config.schema_places import Schema

_EDITOR_SCHEMAS: dict[str, type[BaseModel]] = {"environment.json": Environment, "catalog.json": Catalog}


def editor_schemas() -> dict[str, str]:
    """Return the text of each schema file by its name."""
    return {
        name: json.dumps(model.model_json_schema(), indent=2) + "\n"
        for name, model in _EDITOR_SCHEMAS.items()
    }


def catalog_validator_schema() -> Schema:
    """Return the catalog's schema in JSON Schema draft 4, which is what AppConfig's validators read.

    AppConfig takes at most 32,768 characters. Rules between fields (unique names) are beyond a schema:
    synthesis and the gateway check those.
    """
    return draft_4(Catalog.model_json_schema())


def main() -> None:
    """Write the editors' schemas."""
    directory = CONFIG_DIRECTORY / "schema"
    directory.mkdir(exist_ok=True)
    for name, text in editor_schemas().items():
        (directory / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
