"""Invariants of secrets: no template holds one."""

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from tests.stacks.invariants.resource import Resource, strings

KNOWN = {
    "an AWS access key": re.compile(r"\b(AKIA|ASIA)[0-9A-Z]{16}\b"),
    "a private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    "an API key": re.compile(r"\b(sk|rk|pk)[-_](live|test|proj|ant)?[-_A-Za-z0-9]{20,}"),
    "a GitHub token": re.compile(r"\b(gh[opsu]_|github_pat_)[A-Za-z0-9_]{30,}"),
    "a Google API key": re.compile(r"\bAIza[0-9A-Za-z_-]{35}\b"),
    "a token of a session": re.compile(r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\."),
}
# Properties whose value is a secret, so that it is a reference or nothing at all.
SECRET_PROPERTIES = re.compile(
    r"^(MasterUserPassword|AuthToken|Passwords?|SecretString|ClientSecret|client_secret)$"
)
_WORD = re.compile(r"[A-Za-z0-9+/_=-]{32,}")
# Bits for each character: random Base64 of 32 characters has 4.5 and more, names and hexadecimal hashes less.
RANDOM_BITS = 4.6
_HASH = re.compile(r"[0-9a-f]{32,64}")


def no_known_keys(resource: Resource) -> Iterator[str]:
    """No text has the form of a key that some provider gives out."""
    for text in strings(resource.properties):
        for what, pattern in KNOWN.items():
            if pattern.search(text):
                yield f"holds {what}"


def no_secret_literals(resource: Resource) -> Iterator[str]:
    """A property that takes a secret is given a reference to it."""
    yield from _literals(resource.properties)


def _literals(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if SECRET_PROPERTIES.match(str(name)) and not _is_reference(inner):
                yield f"has its {name} in the template"
            yield from _literals(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _literals(inner)


def _is_reference(value: Any) -> bool:
    if isinstance(value, list):
        return all(map(_is_reference, value))
    text = "".join(_written(value))
    return text.startswith("{{resolve:secretsmanager:") or not text


def no_random_words_in_variables(resource: Resource) -> Iterator[str]:
    """No variable of a container or a function looks random, as secrets of no known form do."""
    for name, text in _variables(resource):
        for word in _WORD.findall(_HASH.sub("", text)):
            if _bits(word) >= RANDOM_BITS:
                yield f"has something random in {name}"


def _variables(resource: Resource) -> Iterator[tuple[str, str]]:
    for container in resource.properties.get("ContainerDefinitions", []):
        for variable in container.get("Environment", []):
            yield from ((variable["Name"], text) for text in _written(variable["Value"]))
    if resource.type == "AWS::Lambda::Function":
        variables = resource.properties.get("Environment", {}).get("Variables", {})
        for name, value in variables.items():
            yield from ((name, text) for text in _written(value))


def _written(value: Any) -> Iterator[str]:
    """The text of a value: of its references neither names nor values."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for part in value:
            yield from _written(part)
    elif isinstance(value, Mapping) and "Fn::Join" in value:
        yield from _written(value["Fn::Join"])


def _bits(word: str) -> float:
    counts = Counter(word).values()
    return -sum(count / len(word) * math.log2(count / len(word)) for count in counts)


CHECKS = (no_known_keys, no_secret_literals, no_random_words_in_variables)
