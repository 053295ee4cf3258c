"""What holds for every resource of every template of every environment."""

from itertools import chain
from typing import TYPE_CHECKING

import pytest

from tests.stacks.invariants import encryption, exposure, protection, secrets, statements, workloads
from tests.stacks.invariants.resource import Check, violations

if TYPE_CHECKING:
    from tests.stacks.conftest import Assembly

EVERYWHERE = tuple(
    chain.from_iterable(
        module.CHECKS for module in (statements, exposure, encryption, workloads, secrets, protection)
    )
)


def _name(check: Check) -> str:
    return check.__name__


@pytest.mark.parametrize("check", EVERYWHERE, ids=_name)
def test_everywhere(assembly: "Assembly", check: Check) -> None:
    assert violations(assembly.templates, check) == []


@pytest.mark.parametrize("check", protection.PROTECTED_CHECKS, ids=_name)
def test_in_production(production: "Assembly", check: Check) -> None:
    assert violations(production.templates, check) == []
