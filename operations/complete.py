"""What the Tab key offers: names and IDs that the gateway knows, or nothing if it does not answer at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from operations.commands import options_of
from operations.profile import connection

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from operations.client import Gateway

_SECONDS = 2.0
_MOST = 200
# Shells take other characters for their own, or cut a word there.
_PLAIN = re.compile(r"[\w.@+/-]+")
Found = Iterable[tuple[str, str]]
Complete = Callable[[click.Context, click.Parameter, str], "list[CompletionItem]"]


@contextmanager
def _gateway(context: click.Context) -> Iterator[Gateway]:
    from operations.client import Gateway
    from operations.sign_in import key_of

    found = replace(connection(options_of(context)), timeout_seconds=_SECONDS)
    key = key_of(found, ask=False, command_seconds=_SECONDS, quiet=True)
    with Gateway(found, key, quiet=True) as gateway:
        yield gateway


def _completing(find: Callable[[Gateway], Found]) -> Complete:
    def complete(context: click.Context, _: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        try:
            with _gateway(context) as gateway:
                found = list(find(gateway))
        except click.ClickException:
            return []
        except (AttributeError, KeyError, TypeError):  # it answers, but not as an admin API does
            return []
        return [
            CompletionItem(word, help=help)
            for word, help in found
            if word.startswith(incomplete) and _PLAIN.fullmatch(word)
        ]

    return complete


def _named(page: Iterable[Any]) -> Found:
    return [(each["name"], "") for each in page]


def _keys(gateway: Gateway) -> Found:
    for key in gateway.pages("/keys", {"state": "active"}, at_most=_MOST):
        yield key["id"], _plain(key["name"])
        yield key["name"], key["id"]


def _models(gateway: Gateway) -> Found:
    return [(each["name"], "") for each in gateway.get("/models")["data"]]


def _plain(text: str) -> str:
    return text if _PLAIN.fullmatch(text) else ""


projects = _completing(lambda gateway: _named(gateway.pages("/projects", at_most=_MOST)))
roles = _completing(lambda gateway: _named(gateway.pages("/roles", at_most=_MOST)))
keys = _completing(_keys)
models = _completing(_models)
