"""Images: their bytes must be what their format says."""

from local.bedrock_simulator.errors import model_refuses

_MAX_BYTES = 5 * 1024 * 1024


def check_image(image: bytes, declared: str, path: str) -> None:
    """Raise ServiceError unless these bytes are an image of the declared format: png, jpeg, gif or webp."""
    actual = _format_of(image)
    if actual is None:
        raise model_refuses(f"{path}: Could not process image")
    if actual != declared:
        raise model_refuses(
            f"{path}: The image was specified using the image/{declared} media type, "
            f"but the image appears to be a image/{actual} image"
        )
    if len(image) > _MAX_BYTES:
        raise model_refuses(f"{path}: image exceeds 5 MB maximum: {len(image)} bytes > {_MAX_BYTES} bytes")


def _format_of(image: bytes) -> str | None:
    if image.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if image.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if image.startswith((b"GIF87a", b"GIF89a")):
        return "gif"
    if image[:4] == b"RIFF" and image[8:12] == b"WEBP":
        return "webp"
    return None
