"""What is wrong with a configuration file, and where."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Problem:
    """One problem. Lines and columns count from 1; `given` completes a sentence that begins with the path."""

    file: str
    line: int
    column: int
    path: str
    given: str
    allowed: str
    fix: str

    def __str__(self) -> str:
        """Say it in one line that terminals and editors can follow to the place."""
        place = f"{self.file}:{self.line}:{self.column}"
        return f"{place}: {self.path} {self.given}; allowed: {self.allowed}; fix: {self.fix}"


class ConfigError(ValueError):
    """A configuration file is not valid; str() lists every problem, one a line, in the file's order."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems))
        super().__init__("\n".join(map(str, self.problems)))
