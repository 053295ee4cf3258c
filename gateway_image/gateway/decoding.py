"""Decodes the JSON bodies of requests, and says what is wrong with one in OpenAI's way."""

import re
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

import msgspec
from msgspec import inspect

from gateway.errors import GatewayError, invalid_request

RequestT = TypeVar("RequestT", bound=msgspec.Struct)

# msgspec says "<problem> - at `$.messages[0].content`"; the place is left out where it is the body itself.
_LOCATED = re.compile(r"(?P<problem>.*?)(?: - at `\$\.?(?P<path>.*)`)?", re.DOTALL)
_ABOUT_FIELD = re.compile(
    r"Object (?P<what>contains unknown|missing required) field `(?P<name>.*)`", re.DOTALL
)
_STEPS = re.compile(r"\[[^\]]*\]|[^.\[\]]+")


class RequestDecoder(Generic[RequestT]):
    """Decodes bodies into one type; `api` is what the API is called in errors."""

    def __init__(self, type_: type[RequestT], api: str) -> None:
        self._type = type_
        self._api = api
        self._decode = msgspec.json.Decoder(type_).decode

    def __call__(self, body: bytes | msgspec.Raw, *, at: str = "") -> RequestT:
        """The request in a JSON body, or a part of it that stands at a path.

        Raises GatewayError 400 whose param is the JSON path of the field at fault.
        """
        try:
            return self._decode(body)
        except msgspec.ValidationError as error:
            raise self._invalid_field(str(error), at) from None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise _unreadable(str(error)) from None
        except RecursionError:
            raise _unreadable("it is nested too deeply") from None

    def _invalid_field(self, description: str, at: str) -> GatewayError:
        located = _LOCATED.fullmatch(description)
        problem, inner = (located["problem"], located["path"] or "") if located else (description, "")
        path = f"{at}.{inner}" if at and inner else at or inner
        if about := _ABOUT_FIELD.fullmatch(problem):
            param = f"{path}.{about['name']}" if path else about["name"]
            if about["what"] == "missing required":
                message = f"{param} is required."
                return invalid_request(message, param=param, code="missing_required_parameter")
            message = f"{param} is not a parameter of {self._api}: mend its name or remove it."
            return invalid_request(message, param=param, code="unknown_parameter")
        values = ", ".join(_allowed_values(self._type, inner)) if problem.startswith("Invalid") else ""
        allowed = f"; allowed: {values}" if values else ""
        message = f"{path or 'The body'}: {problem[0].lower()}{problem[1:]}{allowed}."
        return invalid_request(message, param=path or None, code="invalid_value")


def _unreadable(reason: str) -> GatewayError:
    message = f"The body must be a JSON object in UTF-8: {reason}."
    return invalid_request(message, param=None, code="invalid_json")


def _allowed_values(type_: type[msgspec.Struct], path: str) -> list[str]:
    """The literals and tags that a type allows at a JSON path."""
    types: list[inspect.Type] = [inspect.type_info(type_)]
    allowed: list[str] = []
    for step in _STEPS.findall(path):
        allowed = [str(t.tag) for t in types if isinstance(t, inspect.StructType) and t.tag_field == step]
        types = list(_members(types, step))
    allowed += [str(value) for t in types if isinstance(t, inspect.LiteralType) for value in t.values]
    return list(dict.fromkeys(allowed))


def _members(types: Iterable[inspect.Type], step: str) -> Iterator[inspect.Type]:
    """The types found one step (a field's name, or an index in brackets) further down a path."""
    for outer in types:
        if isinstance(outer, inspect.ListType) and step.startswith("["):
            yield from _alternatives(outer.item_type)
        elif isinstance(outer, inspect.StructType):
            for field in outer.fields:
                if field.encode_name == step:
                    yield from _alternatives(field.type)


def _alternatives(type_: inspect.Type) -> tuple[inspect.Type, ...]:
    return type_.types if isinstance(type_, inspect.UnionType) else (type_,)
