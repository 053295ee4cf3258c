"""Made-up embeddings: equal texts have equal vectors."""

import hashlib
import math
import random


def vector(text: str, dimensions: int, *, normalize: bool = True) -> list[float]:
    """A vector of this many dimensions that only depends on the text."""
    rng = random.Random(hashlib.sha256(text.encode()).digest())  # noqa: S311 (no secret depends on it)
    values = [rng.gauss(0, 1) for _ in range(dimensions)]
    length = math.hypot(*values) if normalize else 1.0
    return [value / length for value in values]
