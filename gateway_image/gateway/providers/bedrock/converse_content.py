"""OpenAI content parts as Converse content blocks."""

import re
from typing import Any

from gateway.errors import GatewayError, invalid_request
from gateway.openai.chat_types import AudioPart, CacheControl, FilePart, ImagePart, TextPart, UserPart

Block = dict[str, Any]

IMAGE_FORMATS = {
    "image/png": "png",
    "image/jpeg": "jpeg",
    "image/jpg": "jpeg",
    "image/gif": "gif",
    "image/webp": "webp",
}
DOCUMENT_FORMATS = {
    "application/pdf": "pdf",
    "text/csv": "csv",
    "application/msword": "doc",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.ms-excel": "xls",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "text/html": "html",
    "text/plain": "txt",
    "text/markdown": "md",
}
_DATA_URL = re.compile(r"data:(?P<media_type>[^;,]*)(?:;[^;,]*)*?;base64,", re.IGNORECASE)
_BASE64_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_NOT_IN_DOCUMENT_NAMES = re.compile(r"[^A-Za-z0-9()\[\]-]+")
_LONGEST_DOCUMENT_NAME = 200


class DocumentNames:
    """Gives each document of a request the name Converse demands: few characters, and no name twice."""

    def __init__(self) -> None:
        self._given: set[str] = set()
        self._copies: dict[str, int] = {}

    def name(self, filename: str | None) -> str:
        """A name as close to the file's as Converse allows."""
        stem = (filename or "").rpartition(".")[0] or filename or ""
        base = _NOT_IN_DOCUMENT_NAMES.sub(" ", stem)[:_LONGEST_DOCUMENT_NAME].strip() or "document"
        name = base
        while name in self._given:
            copy = self._copies[base] = self._copies.get(base, 1) + 1
            suffix = f" ({copy})"
            name = base[: _LONGEST_DOCUMENT_NAME - len(suffix)].rstrip() + suffix
        self._given.add(name)
        return name


def is_blank(text: str) -> bool:
    """Whether Converse would refuse a text block of this text."""
    return not text or text.isspace()


def text_blocks(content: str | list[TextPart]) -> list[Block]:
    """Text blocks, and cache points where asked for; Converse refuses blank ones, so they are left out."""
    if isinstance(content, str):
        return [] if is_blank(content) else [{"text": content}]
    blocks: list[Block] = []
    for part in content:
        if not is_blank(part.text):
            blocks.append({"text": part.text})
            add_cache_point(blocks, part.cache_control)
    return blocks


def user_blocks(content: str | list[UserPart], path: str, documents: DocumentNames) -> list[Block]:
    """The blocks of a user message's content, which stands at `path`; raises GatewayError 400."""
    if isinstance(content, str):
        return text_blocks(content)
    blocks: list[Block] = []
    for index, part in enumerate(content):
        match part:
            case TextPart():
                if is_blank(part.text):
                    continue
                blocks.append({"text": part.text})
            case ImagePart():
                blocks.append(_image(part, f"{path}[{index}].image_url"))
            case FilePart():
                blocks.append(_document(part, f"{path}[{index}].file", documents))
            case AudioPart():
                blocks.append(_audio(part, f"{path}[{index}].input_audio"))
        add_cache_point(blocks, part.cache_control)
    return blocks


def add_cache_point(blocks: list[Block], cache_control: CacheControl | None) -> None:
    """Append the cache point that `cache_control` on the last block stands for."""
    if cache_control is None:
        return
    ttl = {} if cache_control.ttl is None else {"ttl": cache_control.ttl}
    blocks.append({"cachePoint": {"type": "default", **ttl}})


def _image(part: ImagePart, path: str) -> Block:
    # Bedrock always reads an image in the detail it has, so asking for less cannot be honoured.
    if part.image_url.detail == "low":
        raise invalid_request(
            f"{path}.detail is low, which Bedrock cannot do; send a smaller image, and auto or high.",
            param=f"{path}.detail",
            code="unsupported_value",
        )
    path = f"{path}.url"
    if part.image_url.url[:8].lower().startswith(("http://", "https://")):
        raise invalid_request(
            f"{path}: images are not fetched from the web; send the image as data:image/png;base64,...",
            param=path,
            code="unsupported_value",
        )
    image_format, data = _data_url(part.image_url.url, IMAGE_FORMATS, path)
    return {"image": {"format": image_format, "source": {"bytes": data}}}


def _document(part: FilePart, path: str, documents: DocumentNames) -> Block:
    if part.file.file_id is not None:
        raise invalid_request(
            f"{path}.file_id: files are not stored here; send the file itself in file_data.",
            param=f"{path}.file_id",
            code="unsupported_parameter",
        )
    path = f"{path}.file_data"
    if part.file.file_data is None:
        raise invalid_request(f"{path} is required.", param=path, code="missing_required_parameter")
    document_format, data = _data_url(part.file.file_data, DOCUMENT_FORMATS, path)
    name = documents.name(part.file.filename)
    return {"document": {"format": document_format, "name": name, "source": {"bytes": data}}}


def _audio(part: AudioPart, path: str) -> Block:
    data = checked_base64(part.input_audio.data, f"{path}.data")
    return {"audio": {"format": part.input_audio.format, "source": {"bytes": data}}}


def _data_url(url: str, formats: dict[str, str], path: str) -> tuple[str, str]:
    """The format and the base64 text of a data URL."""
    head = _DATA_URL.match(url)
    if head is None:
        raise _unusable(path, "it is not a base64 data URL", f"data:{next(iter(formats))};base64,...")
    media_type = head["media_type"].lower()
    if media_type not in formats:
        raise _unusable(path, f"its media type is {media_type[:100]!r}", ", ".join(formats))
    return formats[media_type], checked_base64(url[head.end() :], path)


def checked_base64(data: str, path: str) -> str:
    """The text itself, if it is what Converse reads: standard base64, padded, without line breaks.

    Raises GatewayError 400 otherwise; it stands at `path`.
    """
    padding = data.encode("utf-8").translate(None, _BASE64_ALPHABET)
    if not data or len(data) % 4 or padding not in (b"", b"=", b"==") or not data.endswith(padding.decode()):
        raise _unusable(path, "its data is not base64", "standard base64 with padding, without line breaks")
    return data


def _unusable(path: str, problem: str, allowed: str) -> GatewayError:
    return invalid_request(
        f"{path} cannot be read: {problem}; allowed: {allowed}.", param=path, code="invalid_value"
    )
