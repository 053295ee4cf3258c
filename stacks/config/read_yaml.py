"""Reads YAML into a document.

Only what JSON can say is read: no anchors, no tags, no keys but words. Plain scalars that YAML 1.1 and 1.2
read differently (no, 0123, 1:30, 2026-01-01 ...) are marked, because the writer's meaning is not certain.
"""

import re
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from stacks.config.document import START, Document, KeyPath, Mark

_TAG = "tag:yaml.org,2002:"
# What both YAML versions read alike, by the tag of YAML 1.1. Longer numbers lose digits in some readers.
_UNAMBIGUOUS = {
    "bool": re.compile(r"true|false"),
    "int": re.compile(r"-?(0|[1-9]\d{0,17})"),
    "float": re.compile(r"-?(0|[1-9]\d{0,17})\.\d{1,17}"),
    "null": re.compile(r"null|~|"),
}
# What YAML 1.1 also finds in plain scalars; every other tag was written out.
_ONLY_IN_1_1 = ("timestamp", "merge", "value")


def read_yaml(text: str, file: str) -> Document:
    """Parse YAML; never raises for what the text holds, but lists it in the document's problems."""
    document = Document(file)
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        _refuse_syntax(document, error)
    except yaml.reader.ReaderError as error:
        before, character = text[: error.position], text[error.position]
        mark = Mark(before.count("\n") + 1, error.position - (before.rfind("\n") + 1) + 1)
        given = f"holds the character U+{ord(character):04X}"
        document.refuse((), mark, given, "printable text in UTF-8", "remove it or save the file as UTF-8")
    except RecursionError:
        document.refuse((), START, "is nested too deep", "the keys of the schema", "remove the nesting")
    else:
        if root is None:
            fix = "begin with a copy of another environment's file"
            document.refuse((), START, "is empty", "a mapping of keys", fix)
        else:
            document.data = _convert(root, (), document, set())
    return document


def _refuse_syntax(document: Document, error: yaml.MarkedYAMLError) -> None:
    at = error.problem_mark or error.context_mark
    mark = Mark(at.line + 1, at.column + 1) if at else START
    given = f"is not YAML: {error.problem}"
    if error.context and error.context_mark:
        given += f" {error.context} from line {error.context_mark.line + 1}"
    document.refuse((), mark, given, "YAML", "correct the syntax between these places")


def _mark(node: Node) -> Mark:
    return Mark(node.start_mark.line + 1, node.start_mark.column + 1)


def _convert(node: Node, path: KeyPath, document: Document, seen: set[int]) -> Any:
    document.values[path] = mark = _mark(node)
    if id(node) in seen:
        document.refuse(path, mark, "is an alias (*name)", "the value itself", "write the value out")
        return None
    seen.add(id(node))
    if isinstance(node, MappingNode) and node.tag == f"{_TAG}map":
        return _convert_mapping(node, path, document, seen)
    if isinstance(node, SequenceNode) and node.tag == f"{_TAG}seq":
        return [_convert(item, (*path, index), document, seen) for index, item in enumerate(node.value)]
    if isinstance(node, ScalarNode):
        return _convert_scalar(node, path, document)
    document.refuse(path, mark, f"has the tag {node.tag}", "values without tags", "remove the tag")
    return None


def _convert_mapping(node: MappingNode, path: KeyPath, document: Document, seen: set[int]) -> dict[str, Any]:
    data: dict[str, Any] = {}
    for key_node, value_node in node.value:
        mark = _mark(key_node)
        if not isinstance(key_node, ScalarNode):
            document.refuse(path, mark, "has a key that is no word", "words as keys", "write a plain key")
            continue
        key = key_node.value
        key_path = (*path, key)
        if key in data:
            given = f"is given twice, first on line {document.keys[key_path].line}"
            document.refuse(key_path, mark, given, "each key once", "keep one of the two")
            continue
        document.keys[key_path] = mark
        data[key] = _convert(value_node, key_path, document, seen)
        if isinstance(value_node, ScalarNode) and not value_node.value:
            document.values[key_path] = mark  # nothing is written after the key: point at the key
    return data


def _convert_scalar(node: ScalarNode, path: KeyPath, document: Document) -> Any:
    text: str = node.value
    document.text[path] = text
    kind = node.tag.removeprefix(_TAG)
    if kind == "str":
        return text
    if kind in _UNAMBIGUOUS and _UNAMBIGUOUS[kind].fullmatch(text):
        return _value(kind, text)
    if kind in _UNAMBIGUOUS or kind in _ONLY_IN_1_1:
        document.ambiguous.add(path)
    else:
        given = f"has the tag {node.tag}"
        document.refuse(path, _mark(node), given, "values without tags", "remove the tag")
    return text


def _value(kind: str, text: str) -> bool | int | float | None:
    if kind == "null":
        return None
    if kind == "bool":
        return text == "true"
    return int(text) if kind == "int" else float(text)
