"""The section `image`."""

from stacks.config.section import Section


class Image(Section):
    """Which gateway image the platform runs."""
