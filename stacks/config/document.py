"""A configuration file as plain data that remembers where each key and value stands."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from gateway.validation import dotted
from stacks.config.problems import Problem

KeyPath = tuple[str | int, ...]


class Mark(NamedTuple):
    """A place in a file, counted from 1."""

    line: int
    column: int


START = Mark(1, 1)


@dataclass
class Document:
    """A file's data; by path the marks of keys and values, the text of scalars, those with two meanings."""

    file: str
    data: Any = None
    keys: dict[KeyPath, Mark] = field(default_factory=dict)
    values: dict[KeyPath, Mark] = field(default_factory=dict)
    text: dict[KeyPath, str] = field(default_factory=dict)
    ambiguous: set[KeyPath] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)

    def mark(self, path: KeyPath) -> Mark:
        """Return where a value stands; for one that does not exist, where its nearest parent begins."""
        while path and path not in self.values:
            path = path[:-1]
        return self.values.get(path, START)

    def problem(self, path: KeyPath, mark: Mark, given: str, allowed: str, fix: str) -> Problem:
        """Make a problem of this file."""
        where = dotted(path) or "the file"
        return Problem(self.file, *mark, _on_one_line(where), _on_one_line(given), allowed, fix)

    def refuse(self, path: KeyPath, mark: Mark, given: str, allowed: str, fix: str) -> None:
        """Add a problem to those of this file."""
        self.problems.append(self.problem(path, mark, given, allowed, fix))


def _on_one_line(text: str) -> str:
    return text if text.isprintable() else text.encode("unicode_escape").decode()
