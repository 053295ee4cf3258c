from collections.abc import Callable
from pathlib import Path

import pytest

from operations.assembly import Stack, read_stacks


@pytest.fixture(scope="session")
def dev_stacks(synthesized: Callable[[str], Path]) -> dict[str, Stack]:
    """The stacks of the synthesized environment dev."""
    return read_stacks(synthesized("dev"))
