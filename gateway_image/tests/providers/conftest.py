"""Damaged copies of sound documents, to try what reads them."""

import copy
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import strategies as st

Json = Any
Damaged = Callable[[Json], st.SearchStrategy[bytes]]

# JSON that is too deep for its readers, and a text that stands for it as long as it is no JSON.
_DEEP = b"[" * 20_000 + b"]" * 20_000
_STANDS_FOR_DEEP = "too deep"
_anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([-1, 2**63, 10**400, _STANDS_FOR_DEEP, "\x00\u2028", ""])
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=5,
)


@pytest.fixture(scope="session")
def damaged() -> Damaged:
    """Makes a strategy for bodies: a document with up to three places changed or missing, or any bytes."""

    def make(document: Json) -> st.SearchStrategy[bytes]:
        return _changed(document).map(_encode) | _anything.map(_encode) | st.binary(max_size=30)

    return make


@st.composite
def _changed(draw: st.DrawFn, document: Json) -> Json:
    document = copy.deepcopy(document)
    for _ in range(draw(st.integers(0, 3))):
        places = list(_places(document))
        if not places:
            break
        container, key = draw(st.sampled_from(places))
        if draw(st.integers(0, 3)):
            container[key] = draw(_anything)
        else:
            del container[key]
    return document


def _places(document: Json) -> Iterator[tuple[Any, Any]]:
    """Every place within a document, as its container and its key or index there."""
    if isinstance(document, dict | list):
        for key, value in list(document.items() if isinstance(document, dict) else enumerate(document)):
            yield document, key
            yield from _places(value)


def _encode(document: Json) -> bytes:
    return json.dumps(document).encode().replace(json.dumps(_STANDS_FOR_DEEP).encode(), _DEEP)
