"""Loads the files of config/, or lists everything that is wrong with one."""

import json
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from gateway.catalog import Catalog
from gateway.validation import errors_of
from stacks.config.document import Document
from stacks.config.explain import explain, explain_ambiguous, explain_breach
from stacks.config.files import CONFIG_DIRECTORY, environment_names
from stacks.config.model import Environment
from stacks.config.placement import misplaced
from stacks.config.problems import ConfigError, Problem
from stacks.config.read_yaml import read_yaml
from stacks.config.schema_places import Schema
from stacks.config.schema_words import shown
from stacks.standby import standby_environment
from stacks.standby_catalog import unserved

__all__ = [
    "CONFIG_DIRECTORY",
    "ConfigError",
    "load_catalog",
    "load_configuration",
    "load_environment",
]

_Model = TypeVar("_Model", bound=BaseModel)


def load_environment(name: str, directory: Path = CONFIG_DIRECTORY) -> Environment:
    """Load config/<name>.yaml. Raises ConfigError with every problem of the file."""
    document = _read(name, directory, "")
    written = document.data.get("name") if isinstance(document.data, dict) else None
    if isinstance(written, str) and written != name:
        path, given = ("name",), f"is {shown(written)}"
        fix = f"write {name}, or rename the file to match"
        document.refuse(path, document.mark(path), given, "the file's own name", fix)
    return _validate(document, Environment)


def load_catalog(name: str, directory: Path = CONFIG_DIRECTORY) -> Catalog:
    """Load config/models/<name>.yaml. Raises ConfigError with every problem of the file."""
    return _validate(_read(name, directory, "models/"), Catalog)


def load_configuration(name: str, directory: Path = CONFIG_DIRECTORY) -> tuple[Environment, Catalog]:
    """Load both files of an environment. Raises ConfigError with every problem of each and between them."""
    problems: list[Problem] = []
    try:
        environment = load_environment(name, directory)
    except ConfigError as error:
        problems += error.problems
    try:
        document = _read(name, directory, "models/")
        catalog = _validate(document, Catalog)
    except ConfigError as error:
        problems += error.problems
    if problems:
        raise ConfigError(problems)
    breaches = list(misplaced(environment, catalog))
    if (standby := standby_environment(environment)) is not None:
        breaches += unserved(standby, catalog)
    if breaches:
        raise ConfigError(explain_breach(breach, document) for breach in breaches)
    return environment, catalog


def _read(name: str, directory: Path, folder: str) -> Document:
    file = f"{directory.name}/{folder}{name}.yaml"
    existing = environment_names(directory / folder)
    if name not in existing:
        close = get_close_matches(name, existing, n=1)
        fix = f"use {close[0]}" if close else f"create {file}"
        allowed = ", ".join(existing) or "none yet"
        raise ConfigError([Problem(file, 1, 1, "the file", "does not exist", allowed, fix)])
    # Bytes that are no UTF-8 become surrogates, which YAML refuses with their place.
    text = (directory / folder / f"{name}.yaml").read_text(encoding="utf-8-sig", errors="surrogateescape")
    return read_yaml(text, file)


def _validate(document: Document, model: type[_Model]) -> _Model:
    if document.data is None and document.problems:
        raise ConfigError(document.problems)
    errors: list[ErrorDetails] = []
    try:
        # As JSON, strictly: a list may become a tuple, but no text a number and no number a boolean.
        loaded = model.model_validate_json(json.dumps(document.data), strict=True)
        if not document.problems and not document.ambiguous:
            return loaded
    except ValidationError as error:
        errors = errors_of(error)
    schema = _schema(model)
    problems = [*document.problems, *explain_ambiguous(document, schema)]
    known = {problem.path for problem in problems}
    found = explain(errors, document, schema)
    raise ConfigError([*problems, *(problem for problem in found if problem.path not in known)])


@cache
def _schema(model: type[BaseModel]) -> Schema:
    return model.model_json_schema()
