"""What a caller sent, as validated models; one answer names every field at fault."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple, TypeVar

import msgspec
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from gateway.errors import GatewayError, invalid_request
from gateway.json_limits import check_depth, check_encoding
from gateway.limits import Limits
from gateway.request import Request
from gateway.validation import dotted, errors_of

ModelT = TypeVar("ModelT", bound=BaseModel)
Json = dict[str, Any]

BODY_LIMIT_BYTES = 256 * 1024
_JSON_DEPTH = 20
_SHOWN_CHARACTERS = 100
_SHOWN_ERRORS = 100


class FieldError(NamedTuple):
    """A field at fault: its path, what was given (None if nothing was) and what is allowed."""

    field: str
    value: str | None
    allowed: str

    def __str__(self) -> str:
        """Say it in one line."""
        given = "is missing" if self.value is None else f"is {self.value}"
        return f"{self.field} {given}; allowed: {self.allowed}"


class InvalidFieldsError(GatewayError):
    """A 400 whose body lists all fields at fault, besides OpenAI's fields of an error."""

    def __init__(self, errors: Sequence[FieldError]) -> None:
        """errors: at least one."""
        super().__init__(
            400,
            ". ".join(map(str, errors[:10])) + ".",
            type="invalid_request_error",
            code="invalid_fields",
            param=errors[0].field,
        )
        self.errors = errors

    def body(self) -> bytes:
        """The JSON body of the error response."""
        error = {"message": self.message, "type": self.type, "param": self.param, "code": self.code}
        return msgspec.json.encode({"error": error | {"errors": [each._asdict() for each in self.errors]}})


def invalid_field(field: str, value: object, allowed: str) -> InvalidFieldsError:
    """The error for one field."""
    return InvalidFieldsError([FieldError(field, _shown(value), allowed)])


async def read_body(request: Request) -> Json:
    """The request's body, which is a JSON object; raises GatewayError 400, 408 and 413."""
    body = await request.read_json_body(BODY_LIMIT_BYTES)
    check_encoding(body)
    check_depth(body, _JSON_DEPTH)
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        raise invalid_request(
            "The body is no JSON document; send an object.", param=None, code="invalid_json"
        ) from None
    if not isinstance(document, dict):
        raise invalid_request("The body is no JSON object; send one.", param=None, code="invalid_json")
    return document


def valid(model: type[ModelT], document: Json) -> ModelT:
    """A JSON document as a model; raises InvalidFieldsError."""
    try:
        # As JSON, strictly: text is no number, but an array is a tuple and text a time.
        return model.model_validate_json(msgspec.json.encode(document), strict=True)
    except ValidationError as error:
        raise _invalid(model, error) from None


def valid_query(model: type[ModelT], query: Mapping[str, list[str]]) -> ModelT:
    """A query's parameters as a model; raises InvalidFieldsError."""
    twice = [
        FieldError(name, _shown(values), "one value") for name, values in query.items() if len(values) > 1
    ]
    if twice:
        raise InvalidFieldsError(twice)
    try:
        return model.model_validate_strings({name: values[0] for name, values in query.items()})
    except ValidationError as error:
        raise _invalid(model, error) from None


def sets_anew(given: BaseModel, shown: BaseModel) -> bool:
    """Whether what was given differs from what an object is, which need not make sense to this version."""
    fields = set(type(given).model_fields)
    before = shown.model_dump(mode="json", include=fields, exclude_none=True)
    return given.model_dump(mode="json", exclude_none=True) != before


def merge_patch(target: Json, patch: Json) -> Json:
    """Apply a JSON Merge Patch (RFC 7396): what is null goes, objects are merged, the rest is replaced.

    What is null and was not there stays null, so that a misspelt name is found when the result is validated.
    """
    merged = dict(target)
    for name, value in patch.items():
        if value is None and name in merged:
            del merged[name]
        elif isinstance(value, dict):
            before = merged.get(name)
            merged[name] = merge_patch(before if isinstance(before, dict) else {}, value)
        else:
            merged[name] = value
    return merged


def _invalid(model: type[BaseModel], error: ValidationError) -> InvalidFieldsError:
    details = errors_of(error)[:_SHOWN_ERRORS]
    return InvalidFieldsError([_field_error(model, detail) for detail in details])


def _field_error(model: type[BaseModel], detail: ErrorDetails) -> FieldError:
    location = detail["loc"]
    field = dotted(location)[:200]
    if detail["type"] == "missing":
        return FieldError(field, None, "it has to be given")
    value = _shown(detail["input"])
    if detail["type"] == "extra_forbidden":
        return FieldError(field, value, f"only {', '.join(_known(model, location))}")
    return FieldError(field, value, _allowed(model, detail))


def _allowed(model: type[BaseModel], detail: ErrorDetails) -> str:
    words = detail["msg"].removeprefix("Value error, ")
    if detail["type"] == "string_pattern_mismatch":
        # The pattern's own words, where its field has some.
        words = _words_of_patterns(model).get(str(detail.get("ctx", {}).get("pattern")), words)
    return words[:1].lower() + words[1:]


@cache
def _words_of_patterns(model: type[BaseModel]) -> dict[str, str]:
    found: dict[str, str] = {}
    pending: list[Any] = [model.model_json_schema()]
    while pending:
        schema = pending.pop()
        if isinstance(schema, dict):
            if "pattern" in schema and "patternErrorMessage" in schema:
                found[schema["pattern"]] = schema["patternErrorMessage"]
            pending += schema.values()
        elif isinstance(schema, list):
            pending += schema
    return found


def _known(model: type[BaseModel], location: Sequence[int | str]) -> Iterable[str]:
    """The fields there are where an unknown one was found."""
    return model.model_fields if len(location) == 1 else Limits.model_fields


def _shown(value: object) -> str:
    try:
        text = msgspec.json.encode(value).decode()
    except (TypeError, ValueError, OverflowError):
        text = repr(value)
    return text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "..."
