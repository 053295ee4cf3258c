"""The Kubernetes versions that are offered: AWS supports them at the ordinary price, or a test says so."""

import os
import warnings
from datetime import UTC, date, datetime, timedelta
from typing import get_args

import pytest

from gatehouse.kubernetes.versions import END_OF_STANDARD_SUPPORT, days_of_support
from stacks.config.compute import Compute

DEFAULT: str = Compute.model_fields["kubernetes_version"].default
OFFERED: tuple[str, ...] = get_args(Compute.model_fields["kubernetes_version"].annotation)
# Time for an upgrade of a cluster, one version at a time.
NOTICE_DAYS = 90


class SupportEndsSoon(UserWarning):
    """A newer version has to become the default before long."""


def _today() -> date:
    """The day; of an older commit that is built again the day that SOURCE_DATE_EPOCH says."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    return (datetime.fromtimestamp(int(epoch), UTC) if epoch else datetime.now(UTC)).date()


def _check(today: date) -> None:
    left = days_of_support(DEFAULT, today)
    assert left > 0, (
        f"standard support of Kubernetes {DEFAULT} ended on {END_OF_STANDARD_SUPPORT[DEFAULT]}: make a newer "
        "version the default of compute.kubernetes_version, with its day in gatehouse/kubernetes/versions.py"
    )
    if left <= NOTICE_DAYS:
        warnings.warn(f"Kubernetes {DEFAULT} has {left} days of support left", SupportEndsSoon, stacklevel=2)


def test_the_end_of_support_is_known_of_every_version_that_is_offered() -> None:
    assert set(OFFERED) == set(END_OF_STANDARD_SUPPORT)
    assert max(OFFERED, key=END_OF_STANDARD_SUPPORT.__getitem__) == DEFAULT


def test_days_are_counted_to_the_day_from_which_support_costs_more() -> None:
    assert days_of_support("1.36", date(2027, 8, 1)) == 1
    assert days_of_support("1.36", date(2027, 8, 2)) == 0


# The one test that depends on the day: it warns for three months before it fails.
@pytest.mark.filterwarnings(f"default::{__name__}.SupportEndsSoon")
def test_the_default_is_supported_today() -> None:
    _check(_today())


def test_a_warning_comes_three_months_before_the_end_and_then_a_failure() -> None:
    end = END_OF_STANDARD_SUPPORT[DEFAULT]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        _check(end - timedelta(days=NOTICE_DAYS + 1))
    with pytest.warns(SupportEndsSoon, match="1 days of support left"):
        _check(end - timedelta(days=1))
    with pytest.raises(AssertionError, match="make a newer version the default"):
        _check(end)


def test_an_older_commit_is_judged_by_the_day_it_is_built_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1793836800")
    assert _today() == date(2026, 11, 5)
