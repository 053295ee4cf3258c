"""Says what pydantic found in the words of the person who wrote the file."""

import re
from difflib import get_close_matches
from ipaddress import AddressValueError, IPv4Network, NetmaskValueError
from typing import Any

from pydantic_core import ErrorDetails

from gateway.validation import Breach
from stacks.config.document import Document, KeyPath
from stacks.config.problems import Problem
from stacks.config.schema_words import Schema, allowed, choices, either, example, schema_at, shown

_PLAIN = {"integer": r"-?\d+", "number": r"-?\d+(\.\d+)?", "boolean": "true|false"}


def explain(errors: list[ErrorDetails], document: Document, schema: Schema) -> list[Problem]:
    """Turn pydantic's errors into problems with places; a rule between fields may yield several."""
    paths = [error["loc"] for error in errors]
    problems: list[Problem] = []
    for error in errors:
        path = error["loc"]
        # pydantic counts only a list's valid items, so each invalid item may also make the list too short.
        if error["type"] == "too_short" and any(path == other[: len(path)] != other for other in paths):
            continue
        if error["type"] == "broken_rule":
            problems += [_broken_rule(breach, path, document) for breach in error["ctx"]["breaches"]]
        else:
            problems.append(_field_problem(error, document, schema))
    return problems


def explain_ambiguous(document: Document, schema: Schema) -> list[Problem]:
    """Explain the plain scalars whose meaning depends on the version of YAML.

    Those that stand where no scalar or nothing at all belongs are left to explain().
    """
    expected = {path: schema_at(schema, path) for path in document.ambiguous}
    scalars = (
        path for path, here in expected.items() if here and here.get("type") not in ("array", "object")
    )
    return [_ambiguous_scalar(path, document, schema) for path in scalars]


def _ambiguous_scalar(path: KeyPath, document: Document, schema: Schema) -> Problem:
    here, text = schema_at(schema, path), document.text[path]
    match here.get("type"):
        case "boolean":
            fix = f"write {str(text.lower() in ('yes', 'on', 'true')).lower()}"
        case "integer" | "number":
            fix = f"write it in plain decimal digits, such as {example(schema, here)}"
        case _:
            fix = f'put it in quotes: "{text}"'
    given = f"is {shown(text)}, which YAML 1.1 and YAML 1.2 read differently"
    return document.problem(path, document.mark(path), given, allowed(here), fix)


def _field_problem(error: ErrorDetails, document: Document, schema: Schema) -> Problem:
    path, given = error["loc"], error["input"]
    parent, here = schema_at(schema, path[:-1]), schema_at(schema, path)
    match error["type"]:
        case "missing":
            mark = document.mark(path[:-1])
            fix = f"add {path[-1]}: {example(schema, here)}"
            return document.problem(path, mark, "is missing", allowed(here), fix)
        case "extra_forbidden":
            known = list(parent.get("properties", {}))
            absent = [key for key in known if (*path[:-1], key) not in document.keys]
            close = get_close_matches(str(path[-1]), absent, n=1)
            fix = f"rename it to {close[0]}" if close else "remove it"
            return document.problem(path, document.keys[path], "is no known key", ", ".join(known), fix)
        case "json_invalid":  # nested too deep for JSON readers, or half a surrogate pair
            given = f"cannot be written as JSON: {error['ctx']['error']}"
            return document.problem(path, document.mark(path), given, "what JSON can say", "remove it")
        case _:
            fix = _fix(given, path, document, schema)
            return document.problem(path, document.mark(path), f"is {shown(given)}", allowed(here), fix)


def _broken_rule(breach: Breach, parent: KeyPath, document: Document) -> Problem:
    path = (*parent, *breach.path)
    given = f"is {shown(breach.given)}"
    return document.problem(path, document.mark(path), given, breach.allowed, breach.fix)


def _fix(given: Any, path: KeyPath, document: Document, schema: Schema) -> str:
    if not path:
        return "begin with a copy of another environment's file"
    here, text = schema_at(schema, path), document.text.get(path, "")
    attempts = (_quote, _unquote, _choose, _bound, _network)
    fixes = (fix for attempt in attempts if (fix := attempt(given, text, here)))
    return next(fixes, f"write it like {example(schema, here)}")


def _quote(given: Any, text: str, schema: Schema) -> str | None:
    is_number = isinstance(given, bool | int | float)
    if is_number and schema.get("type") == "string" and re.search(schema.get("pattern", ""), text):
        return f'put it in quotes: "{text}"'
    return None


def _unquote(given: Any, _: str, schema: Schema) -> str | None:
    plain = _PLAIN.get(schema.get("type", ""))
    if plain and isinstance(given, str) and re.fullmatch(plain, given):
        return f"remove the quotes: {given}"
    return None


def _choose(given: Any, _: str, schema: Schema) -> str | None:
    listed = choices(schema)
    if not listed:
        return None
    if isinstance(given, int | float) and all(isinstance(choice, int) for choice in listed):
        return f"write {min(listed, key=lambda choice: abs(choice - given))}"
    words = [choice for choice in listed if isinstance(choice, str)]
    close = get_close_matches(given, words, n=1, cutoff=0.5) if isinstance(given, str) else []
    return f"write {close[0] if close else either(listed)}"


def _bound(given: Any, _: str, schema: Schema) -> str | None:
    if isinstance(given, bool) or not isinstance(given, int | float):
        return None
    if given < schema.get("minimum", given):
        return f"write {schema['minimum']} or more"
    if given > schema.get("maximum", given):
        return f"write {schema['maximum']} or less"
    return None


def _network(given: Any, _: str, schema: Schema) -> str | None:
    if schema.get("format") != "ipv4network" or not isinstance(given, str):
        return None
    try:
        return f"write {IPv4Network(given, strict=False)}, the network that holds this address"
    except (AddressValueError, NetmaskValueError):
        return None
