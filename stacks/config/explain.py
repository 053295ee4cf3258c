"""Says what pydantic found in the words of the person who wrote the file."""

import re
from collections.abc import Callable
from difflib import get_close_matches
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

from pydantic_core import ErrorDetails

from gateway.validation import Breach
from stacks.config.document import Document, KeyPath
from stacks.config.problems import Problem
from stacks.config.schema_places import Schema, document_path, schema_at
from stacks.config.schema_words import allowed, choices, either, example, shown

_PLAIN = {"integer": r"-?\d+", "number": r"-?\d+(\.\d+)?", "boolean": "true|false"}
_NETWORKS: dict[str, Callable[..., IPv4Network | IPv6Network]] = {
    "ipv4network": IPv4Network,
    "ipvanynetwork": ip_network,
}


def explain(errors: list[ErrorDetails], document: Document, schema: Schema) -> list[Problem]:
    """Turn pydantic's errors into problems with places; a rule between fields may yield several."""
    paths = [document_path(schema, error["loc"]) for error in errors]
    problems: list[Problem] = []
    for index, (error, path) in enumerate(zip(errors, paths, strict=True)):
        if error["type"] == "broken_rule":
            problems += [explain_breach(breach, document, path) for breach in error["ctx"]["breaches"]]
        # Of a value that fits none of several types, pydantic tells once for each type.
        elif path not in paths[:index]:
            problems.append(_field_problem(error, path, document, schema))
    return problems


def explain_ambiguous(document: Document, schema: Schema) -> list[Problem]:
    """Explain the plain scalars whose meaning depends on the version of YAML.

    Those that stand where no scalar or nothing at all belongs are left to explain().
    """
    expected = {path: schema_at(schema, path, document.data) for path in document.ambiguous}
    scalars = (
        path for path, here in expected.items() if here and here.get("type") not in ("array", "object")
    )
    return [_ambiguous_scalar(path, document, schema) for path in scalars]


def _ambiguous_scalar(path: KeyPath, document: Document, schema: Schema) -> Problem:
    here, text = schema_at(schema, path, document.data), document.text[path]
    match here.get("type"):
        case "boolean":
            fix = f"write {str(text.lower() in ('yes', 'on', 'true')).lower()}"
        case "integer" | "number":
            fix = f"write it in plain decimal digits, such as {example(schema, here)}"
        case _:
            fix = f'put it in quotes: "{text}"'
    given = f"is {shown(text)}, which YAML 1.1 and YAML 1.2 read differently"
    return document.problem(path, document.mark(path), given, allowed(here), fix)


def _field_problem(error: ErrorDetails, path: KeyPath, document: Document, schema: Schema) -> Problem:
    kind, given = error["type"], error["input"]
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        tag = schema_at(schema, path)["discriminator"]["propertyName"]
        path, given = (*path, tag), given.get(tag)
    here = schema_at(schema, path, document.data)
    if error["loc"][-1:] == ("[key]",):
        return _key_problem(path, document, schema)
    match kind:
        case "missing" | "union_tag_not_found":
            mark = document.mark(path[:-1])
            fix = f"add {path[-1]}: {example(schema, here)}"
            return document.problem(path, mark, "is missing", allowed(here), fix)
        case "extra_forbidden":
            known = list(schema_at(schema, path[:-1], document.data).get("properties", {}))
            absent = [key for key in known if (*path[:-1], key) not in document.keys]
            close = get_close_matches(str(path[-1]), absent, n=1)
            fix = f"rename it to {close[0]}" if close else "remove it"
            return document.problem(path, document.keys[path], "is no known key", ", ".join(known), fix)
        case "json_invalid":  # nested too deep for JSON readers, or half a surrogate pair
            words = f"cannot be written as JSON: {error['ctx']['error']}"
            return document.problem(path, document.mark(path), words, "what JSON can say", "remove it")
        case "value_error" if "format" not in here:  # a rule of the model's own, in its own words
            words = f"is refused: {error['ctx']['error']}"
            return document.problem(path, document.mark(path), words, allowed(here), "change it accordingly")
        case _:
            fix = _fix(given, path, document, schema)
            return document.problem(path, document.mark(path), f"is {shown(given)}", allowed(here), fix)


def _key_problem(path: KeyPath, document: Document, schema: Schema) -> Problem:
    keys = schema_at(schema, path[:-1], document.data)["propertyNames"]
    fix = f"name it like {example(schema, keys)}"
    return document.problem(path, document.keys[path], "has a wrong name", allowed(keys), fix)


def explain_breach(breach: Breach, document: Document, parent: KeyPath = ()) -> Problem:
    """Turn a broken rule, whose path begins at `parent`, into a problem with its place."""
    path = (*parent, *breach.path)
    given = f"is {shown(breach.given)}"
    return document.problem(path, document.mark(path), given, breach.allowed, breach.fix)


def _fix(given: Any, path: KeyPath, document: Document, schema: Schema) -> str:
    if not path:
        return "begin with a copy of another environment's file"
    here, text = schema_at(schema, path, document.data), document.text.get(path, "")
    attempts = (_quote, _unquote, _choose, _tag, _bound, _network)
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


def _tag(given: Any, _: str, schema: Schema) -> str | None:
    tag = schema.get("discriminator")
    if tag and isinstance(given, str) and given in tag["mapping"]:
        return f"write {tag['propertyName']}: {given} under it"
    return None


def _bound(given: Any, _: str, schema: Schema) -> str | None:
    if isinstance(given, bool) or not isinstance(given, int | float):
        return None
    if given < schema.get("minimum", given):
        return f"write {schema['minimum']} or more"
    if given > schema.get("maximum", given):
        return f"write {schema['maximum']} or less"
    if given <= schema.get("exclusiveMinimum", given - 1):
        return f"write more than {schema['exclusiveMinimum']}"
    return None


def _network(given: Any, _: str, schema: Schema) -> str | None:
    read = _NETWORKS.get(schema.get("format", ""))
    if read is None or not isinstance(given, str):
        return None
    try:
        return f"write {read(given, strict=False)}, the network that holds this address"
    except ValueError:
        return None
