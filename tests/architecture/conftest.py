from collections.abc import Callable
from pathlib import Path

import pytest

from operations.assembly import Stack, read_stacks


@pytest.fixture(scope="session")
def production_stacks(synthesized: Callable[[str], Path]) -> dict[str, Stack]:
    """The stacks of production."""
    return read_stacks(synthesized("prod"))
