"""Decodes the body of an OpenAI chat completion request."""

import re
from collections.abc import Iterable, Iterator

import msgspec
from msgspec import inspect

from gateway.errors import GatewayError, invalid_request
from gateway.openai.chat_types import ChatCompletionRequest

_decode = msgspec.json.Decoder(ChatCompletionRequest).decode

# msgspec says "<problem> - at `$.messages[0].content`"; the place is left out where it is the body itself.
_LOCATED = re.compile(r"(?P<problem>.*?)(?: - at `\$\.?(?P<path>.*)`)?", re.DOTALL)
_ABOUT_FIELD = re.compile(
    r"Object (?P<what>contains unknown|missing required) field `(?P<name>.*)`", re.DOTALL
)
_STEPS = re.compile(r"\[[^\]]*\]|[^.\[\]]+")


def decode_chat_request(body: bytes) -> ChatCompletionRequest:
    """The request in a JSON body.

    Raises GatewayError 400 whose param is the JSON path of the field at fault.
    """
    try:
        request = _decode(body)
    except msgspec.ValidationError as error:
        raise _invalid_field(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _unreadable(str(error)) from None
    except RecursionError:
        raise _unreadable("it is nested too deeply") from None
    if request.stream_options is not None and not request.stream:
        message = "stream_options is allowed only with stream: true; set that or leave stream_options out."
        raise invalid_request(message, param="stream_options")
    return request


def _unreadable(reason: str) -> GatewayError:
    message = f"The body must be a JSON object in UTF-8: {reason}."
    return invalid_request(message, param=None, code="invalid_json")


def _invalid_field(description: str) -> GatewayError:
    located = _LOCATED.fullmatch(description)
    problem, path = (located["problem"], located["path"] or "") if located else (description, "")
    if about := _ABOUT_FIELD.fullmatch(problem):
        param = f"{path}.{about['name']}" if path else about["name"]
        if about["what"] == "missing required":
            return invalid_request(f"{param} is required.", param=param, code="missing_required_parameter")
        message = f"{param} is not a parameter of chat completions: mend its name or remove it."
        return invalid_request(message, param=param, code="unknown_parameter")
    allowed = ", ".join(_allowed_values(path)) if problem.startswith("Invalid") else ""
    message = (
        f"{path or 'The body'}: {problem[0].lower()}{problem[1:]}{'; allowed: ' if allowed else ''}{allowed}."
    )
    return invalid_request(message, param=path or None, code="invalid_value")


def _allowed_values(path: str) -> list[str]:
    """The literals and tags that the request's types allow at a JSON path."""
    types: list[inspect.Type] = [inspect.type_info(ChatCompletionRequest)]
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
