"""Finds the images that a request's body names by URL, and puts others in their place.

All that is not such an image stays byte for byte as it is.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, TypeVar

import msgspec
from msgspec import Raw

from gateway.call import Operation
from gateway.remote_images.image import Image
from gateway.remote_images.location import is_remote

ValueT = TypeVar("ValueT")

# Takes the path and the URL of an image; returns what takes its place, None to leave it.
Replace = Callable[[str, str], Image | None]
Fields = dict[str, Raw]

_encode = msgspec.json.Encoder().encode
_fields = msgspec.json.Decoder(Fields).decode
_items = msgspec.json.Decoder(list[Raw]).decode
_text = msgspec.json.Decoder(str).decode


def replace_images(operation: Operation, body: bytes, replace: Replace) -> bytes:
    """The body of a call with the images that `replace` returns in place of those it names by URL.

    What is not shaped as the API has it is left to those who know the API.
    """
    rewrite = _REWRITERS.get(operation)
    fields = _decoded(_fields, body)
    if rewrite is None or fields is None:
        return body
    name, rewrite_item = rewrite
    return body if not _rewrite_list(fields, name, name, rewrite_item, replace) else _encode(fields)


def urls_in(operation: Operation, body: bytes) -> Iterator[tuple[str, str]]:
    """The paths and URLs of all images that a body names by URL."""
    found: list[tuple[str, str]] = []

    def note(path: str, url: str) -> None:
        found.append((path, url))

    replace_images(operation, body, note)
    yield from found


# Each of these changes an object's fields and says whether it did.
Rewrite = Callable[[Fields, str, Replace], bool]


def _rewrite_list(fields: Fields, name: str, path: str, rewrite: Rewrite, replace: Replace) -> bool:
    """Rewrite the objects in the list that a field holds, which stands at a path."""
    items = _decoded(_items, fields[name]) if name in fields else None
    if items is None:
        return False
    changed = False
    for index, raw in enumerate(items):
        item = _decoded(_fields, raw)
        if item is not None and rewrite(item, f"{path}[{index}]", replace):
            items[index] = Raw(_encode(item))
            changed = True
    if changed:
        fields[name] = Raw(_encode(items))
    return changed


def _rewrite_lists(
    names: tuple[str, ...], rewrite: Rewrite, item: Fields, path: str, replace: Replace
) -> bool:
    return any([_rewrite_list(item, name, f"{path}.{name}", rewrite, replace) for name in names])


def _chat_part(part: Fields, path: str, replace: Replace) -> bool:
    if _string(part, "type") != "image_url" or "image_url" not in part:
        return False
    image_url = _decoded(_fields, part["image_url"])
    if image_url is None or not _rewrite_url(image_url, "url", f"{path}.image_url.url", replace):
        return False
    part["image_url"] = Raw(_encode(image_url))
    return True


def _responses_part(part: Fields, path: str, replace: Replace) -> bool:
    if _string(part, "type") != "input_image":
        return False
    return _rewrite_url(part, "image_url", f"{path}.image_url", replace)


def _message_block(block: Fields, path: str, replace: Replace) -> bool:
    kind = _string(block, "type")
    if kind == "tool_result":
        return _rewrite_list(block, "content", f"{path}.content", _message_block, replace)
    source = _decoded(_fields, block["source"]) if kind == "image" and "source" in block else None
    if source is None or _string(source, "type") != "url":
        return False
    url = _string(source, "url")
    image = replace(f"{path}.source.url", url) if url is not None and is_remote(url) else None
    if image is None:
        return False
    block["source"] = Raw(_encode({"type": "base64", "media_type": image.media_type, "data": image.data}))
    return True


def _rewrite_url(fields: Fields, name: str, path: str, replace: Replace) -> bool:
    url = _string(fields, name)
    image = replace(path, url) if url is not None and is_remote(url) else None
    if image is None:
        return False
    fields[name] = Raw(_encode(image.data_url))
    return True


def _string(fields: Fields, name: str) -> str | None:
    return _decoded(_text, fields[name]) if name in fields else None


def _decoded(decode: Callable[[Any], ValueT], raw: bytes | Raw) -> ValueT | None:
    try:
        return decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


# By operation: the field that holds the list, and how each object in it is rewritten.
_REWRITERS: Mapping[Operation, tuple[str, Rewrite]] = {
    "chat_completions": ("messages", partial(_rewrite_lists, ("content",), _chat_part)),
    "responses": ("input", partial(_rewrite_lists, ("content", "output"), _responses_part)),
    "messages": ("messages", partial(_rewrite_lists, ("content",), _message_block)),
    "count_tokens": ("messages", partial(_rewrite_lists, ("content",), _message_block)),
}
