"""The sections of what is kept: database, cache and copies."""

from typing import Any

import pytest
from pydantic import ValidationError

from stacks.config.backup import Backup
from stacks.config.database import Database
from stacks.config.requirements import unmet


def _database(**fields: Any) -> Database:
    usual = {
        "instance_class": "t4g.medium",
        "storage_gib": 20,
        "storage_limit_gib": 100,
        "multi_az": False,
        "backup_days": 7,
        "deletion_protection": False,
    }
    return Database.model_validate(usual | fields)


@pytest.mark.parametrize(
    ("instance_class", "memory_gib"),
    [
        ("t4g.micro", 1),
        ("t4g.medium", 4),
        ("m7g.large", 8),
        ("m7g.xlarge", 16),
        ("r8g.large", 16),
        ("r6gd.16xlarge", 512),
        ("x2g.2xlarge", 128),
    ],
)
def test_an_instance_class_says_its_memory(instance_class: str, memory_gib: int) -> None:
    assert _database(instance_class=instance_class).memory_gib == memory_gib


@pytest.mark.parametrize("instance_class", ["db.m7g.large", "c6gd.large", "m7g.huge", "m7g", "z1d.large"])
def test_a_class_whose_memory_nobody_knows_is_refused(instance_class: str) -> None:
    with pytest.raises(ValidationError, match="instance_class"):
        _database(instance_class=instance_class)


def test_copies_of_months_outlast_those_of_days() -> None:
    assert Backup(daily_days=35, monthly_days=35).monthly_days == 35
    with pytest.raises(ValidationError, match="at least daily_days, which is 90; fix: write 90 or more"):
        Backup(daily_days=90, monthly_days=60)


def test_a_lock_leaves_time_to_think() -> None:
    """AWS Backup makes no vault immutable at once."""
    with pytest.raises(ValidationError, match="lock_after_days"):
        Backup(lock="compliance", lock_after_days=2)


@pytest.mark.parametrize(
    ("environment", "breaches"), [("prod", 1), ("prod-eu", 1), ("staging", 0), ("dev", 0)]
)
def test_production_keeps_copies(environment: str, breaches: int) -> None:
    assert len(list(unmet(environment, "backup", Backup(enabled=False)))) == breaches
    assert not list(unmet(environment, "backup", Backup()))
