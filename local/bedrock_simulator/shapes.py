"""Requests checked against botocore's model of the service.

Members, types, enums, lengths, ranges, patterns and unions: whatever the model tells is held to.
The model is compiled into plain functions once. A path in a problem is written as the service writes it,
`messages.1.member.role`, with lists counted from one.
"""

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from typing import Any

from botocore.loaders import Loader

from local.bedrock_simulator.errors import ServiceError, invalid, malformed

_Check = Callable[[Any, str, list[str]], None]

_JSON_KINDS = {
    str: "STRING_VALUE",
    bool: "BOOLEAN_VALUE",
    int: "NUMBER_VALUE",
    float: "DECIMAL_VALUE",
    list: "START_ARRAY",
    dict: "START_OBJECT",
}
_UNION_MISSING = "The {union} object at {path} must set one of the following keys: {keys}."
_UNION_CROWDED = "The {union} object at {path} can only set one of the following keys: {keys}."


class ServiceShapes:
    """The shapes of bedrock-runtime's requests."""

    def __init__(self) -> None:
        model = Loader().load_service_model("bedrock-runtime", "service-2")
        self._shapes: dict[str, dict[str, Any]] = model["shapes"]
        self._operations: dict[str, dict[str, Any]] = model["operations"]
        self._compiled: dict[str, _Check] = {}
        self._bodies: dict[str, tuple[dict[str, _Check], list[str]]] = {}

    def check_model_id(self, operation: str, model_id: str) -> None:
        """Raise ValidationException unless the ID in the path has the form that the operation wants."""
        shape = self._input(operation)["members"]["modelId"]["shape"]
        problems: list[str] = []
        self._check(shape)(model_id, "modelId", problems)
        _raise(problems)

    def check_body(self, operation: str, body: Mapping[str, Any]) -> None:
        """Raise ValidationException or SerializationException unless the body is the operation's."""
        if operation not in self._bodies:
            request = self._input(operation)
            members = {
                n: self._check(m["shape"]) for n, m in request["members"].items() if "location" not in m
            }
            self._bodies[operation] = (
                members,
                [name for name in request.get("required", ()) if name in members],
            )
        problems: list[str] = []
        _check_structure(body, "", problems, *self._bodies[operation])
        _raise(problems)

    def _input(self, operation: str) -> dict[str, Any]:
        shape: dict[str, Any] = self._shapes[self._operations[operation]["input"]["shape"]]
        return shape

    def _check(self, name: str) -> _Check:
        if name not in self._compiled:
            # Shapes refer to each other and to themselves: the name is bound before its parts are compiled.
            self._compiled[name] = lambda value, path, problems: self._compiled[name](value, path, problems)
            self._compiled[name] = self._compile(name, self._shapes[name])
        return self._compiled[name]

    def _compile(self, name: str, shape: dict[str, Any]) -> _Check:
        if shape.get("document"):
            return _accept
        match shape["type"]:
            case "structure":
                return self._compile_structure(name, shape)
            case "list":
                return _list_check(shape, self._check(shape["member"]["shape"]))
            case "map":
                return _map_check(
                    self._check(shape["key"]["shape"]), self._check(shape["value"]["shape"]), shape
                )
            case "string":
                return _string_check(shape)
            case "blob":
                return _blob_check(shape)
            case "boolean":
                return _boolean_check
            case _:
                return _number_check(shape)

    def _compile_structure(self, name: str, shape: dict[str, Any]) -> _Check:
        members = {member: self._check(target["shape"]) for member, target in shape["members"].items()}
        required = shape.get("required", [])
        keys = ", ".join(members)

        def check(value: Any, path: str, problems: list[str]) -> None:
            _check_structure(value, path, problems, members, required)

        def check_union(value: Any, path: str, problems: list[str]) -> None:
            check(value, path, problems)
            present = [member for member in value if value[member] is not None]
            if len(present) != 1:
                template = _UNION_CROWDED if present else _UNION_MISSING
                raise invalid(template.format(union=name, path=_from_zero(path), keys=keys))

        return check_union if shape.get("union") else check


def _check_structure(
    value: Any, path: str, problems: list[str], members: Mapping[str, _Check], required: list[str]
) -> None:
    _demand(value, dict, "Object")
    for name in value:
        if name not in members:
            raise malformed(f"{_pointer(path)}: extraneous key [{name}] is not permitted")
    problems += [_null_at(_join(path, name)) for name in required if value.get(name) is None]
    for name, item in value.items():
        if item is not None:
            members[name](item, _join(path, name), problems)


def _accept(_value: Any, _path: str, _problems: list[str]) -> None:
    """A document may be any JSON."""


def _list_check(shape: dict[str, Any], check_member: _Check) -> _Check:
    def check(value: Any, path: str, problems: list[str]) -> None:
        _demand(value, list, "List")
        _check_length(value, path, problems, shape)
        for number, item in enumerate(value, start=1):
            if item is None:
                problems.append(_null_at(f"{path}.{number}.member"))
            else:
                check_member(item, f"{path}.{number}.member", problems)

    return check


def _map_check(check_key: _Check, check_value: _Check, shape: dict[str, Any]) -> _Check:
    def check(value: Any, path: str, problems: list[str]) -> None:
        _demand(value, dict, "Map")
        _check_length(value, path, problems, shape)
        for key, item in value.items():
            _check_map_part(check_key, key, "keys", path, problems)
            _check_map_part(check_value, item, "value", path, problems)

    return check


def _check_map_part(check: _Check, part: Any, kind: str, path: str, problems: list[str]) -> None:
    found: list[str] = []
    check(part, path, found)
    constraints = [problem.partition("constraint: ")[2] for problem in found]
    if constraints:
        problems.append(
            f"Value at '{path}' failed to satisfy constraint: Map {kind} must satisfy constraint: "
            f"[{', '.join(constraints)}]"
        )


def _string_check(shape: dict[str, Any]) -> _Check:
    allowed = frozenset(shape.get("enum", ()))
    pattern = re.compile(shape["pattern"]) if "pattern" in shape else None

    def check(value: Any, path: str, problems: list[str]) -> None:
        _demand(value, str, "String")
        if allowed and value not in allowed:
            problems.append(_at(path, f"Member must satisfy enum value set: [{', '.join(sorted(allowed))}]"))
        _check_length(value, path, problems, shape)
        if pattern and not pattern.fullmatch(value):
            problems.append(_at(path, f"Member must satisfy regular expression pattern: {pattern.pattern}"))

    return check


def _blob_check(shape: dict[str, Any]) -> _Check:
    def check(value: Any, path: str, problems: list[str]) -> None:
        _demand(value, str, "Blob")
        try:
            decoded = base64.b64decode(value, validate=True)
        except binascii.Error:
            raise ServiceError("SerializationException", f"Value at '{path}' is not valid base64") from None
        _check_length(decoded, path, problems, shape)

    return check


def _boolean_check(value: Any, _path: str, _problems: list[str]) -> None:
    _demand(value, bool, "Boolean")


def _number_check(shape: dict[str, Any]) -> _Check:
    integral = shape["type"] in ("integer", "long")

    def check(value: Any, path: str, problems: list[str]) -> None:
        if isinstance(value, bool) or not isinstance(value, int if integral else int | float):
            raise _not_convertible(value, "Integer" if integral else "Float")
        if "min" in shape and value < shape["min"]:
            problems.append(_at(path, f"Member must have value greater than or equal to {shape['min']}"))
        if "max" in shape and value > shape["max"]:
            problems.append(_at(path, f"Member must have value less than or equal to {shape['max']}"))

    return check


def _check_length(value: Any, path: str, problems: list[str], shape: dict[str, Any]) -> None:
    if len(value) < shape.get("min", 0):
        problems.append(_at(path, f"Member must have length greater than or equal to {shape['min']}"))
    if "max" in shape and len(value) > shape["max"]:
        problems.append(_at(path, f"Member must have length less than or equal to {shape['max']}"))


def _demand(value: Any, kind: type, name: str) -> None:
    if not isinstance(value, kind):
        raise _not_convertible(value, name)


def _not_convertible(value: Any, name: str) -> ServiceError:
    return ServiceError(
        "SerializationException", f"{_JSON_KINDS.get(type(value), 'NULL')} can not be converted to {name}"
    )


def _at(path: str, constraint: str) -> str:
    return f"Value at '{path}' failed to satisfy constraint: {constraint}"


def _null_at(path: str) -> str:
    return f"Value null at '{path}' failed to satisfy constraint: Member must not be null"


def _raise(problems: list[str]) -> None:
    if problems:
        count = f"{len(problems)} validation error{'s' if len(problems) > 1 else ''} detected"
        raise invalid(f"{count}: {'; '.join(problems)}")


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _from_zero(path: str) -> str:
    """A path as the service's own rules write it: `messages.0.content.2`."""
    return re.sub(r"\.(\d+)\.member", lambda match: f".{int(match[1]) - 1}", path)


def _pointer(path: str) -> str:
    return "#" + "".join(f"/{part}" for part in _from_zero(path).split(".") if part)
