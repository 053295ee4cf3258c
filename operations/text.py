"""Text from elsewhere."""


def clean(text: str) -> str:
    """Text from elsewhere, without what a terminal would obey."""
    return "".join(
        character if character.isprintable() or character == "\n" else "\N{REPLACEMENT CHARACTER}"
        for character in text
    )
