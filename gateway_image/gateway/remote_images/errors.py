"""Why an image cannot be fetched."""


class ImageError(Exception):
    """An image that cannot be had; the message says why, without anything that was received."""
