"""An image that was fetched, and what kind it is."""

from dataclasses import dataclass

# What every model that sees takes.
MEDIA_TYPES = ("image/jpeg", "image/png", "image/gif", "image/webp")


@dataclass(frozen=True, slots=True)
class Image:
    """An image: its media type and its bytes in base64."""

    media_type: str
    data: str

    @property
    def data_url(self) -> str:
        """The image as a URL that holds it."""
        return f"data:{self.media_type};base64,{self.data}"


def media_type_of(content: bytes) -> str | None:
    """What kind of image bytes are, by how they begin; None for anything that models do not take."""
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if content.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if content.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    if content.startswith(b"RIFF") and content[8:12] == b"WEBP":
        return "image/webp"
    return None
