"""Words and cross-field rules for validated documents, shared by the platform and the gateway."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from pydantic import Field, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError


class Breach(NamedTuple):
    """A broken rule between fields; the path leads from the validated object to the value to mend."""

    path: tuple[str | int, ...]
    given: object
    allowed: str
    fix: str

    def __str__(self) -> str:
        """Say it in one line."""
        return f"{dotted(self.path)} is {self.given}; allowed: {self.allowed}; fix: {self.fix}"


def refuse(breaches: Iterable[Breach]) -> None:
    """Raise one PydanticCustomError that lists all breaches, if there are any.

    Its context carries them as `breaches`, so that a caller who knows positions can place each one.
    """
    found = tuple(breaches)
    if found:
        context = {"breaches": found, "problems": "\n".join(map(str, found))}
        raise PydanticCustomError("broken_rule", "{problems}", context)


def errors_of(error: ValidationError) -> list[ErrorDetails]:
    """The errors that pydantic found, without those that only follow from others.

    It counts a list's valid items alone, so that each invalid one may also make the list too short.
    """
    found = error.errors(include_url=False)
    locations = [detail["loc"] for detail in found]

    def follows(detail: ErrorDetails) -> bool:
        here = detail["loc"]
        return detail["type"] == "too_short" and any(here == loc[: len(here)] != loc for loc in locations)

    return [detail for detail in found if not follows(detail)]


def dotted(path: Iterable[str | int]) -> str:
    """Write a path as people do: models[0].deployments[1].region."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


def pattern(regex: str, words: str, example: str, description: str | None = None) -> Any:
    """Make a field for text that matches a pattern, with the words and the example that errors show.

    Editors show the same words: patternErrorMessage is the keyword VS Code's YAML and JSON support reads.
    """
    return Field(
        pattern=regex,
        examples=[example],
        description=description,
        json_schema_extra={"patternErrorMessage": words},
    )
