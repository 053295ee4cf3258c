"""Stand-ins record, and give way to the real thing."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from local.emulator.region_switch import RegionSwitch
from local.emulator.stand_ins import STAND_INS, Records, register
from local.region_switch.plan import PlanError


@pytest.fixture
def records(tmp_path: Path) -> Records:
    return Records(tmp_path / "stand-ins.json")


def test_a_stand_in_records_from_create_to_delete(records: Records, tmp_path: Path) -> None:
    handlers: dict[str, dict[str, Any]] = {}
    register(handlers, records)
    handler = handlers["AWS::EC2::NatGateway"]

    def recorded() -> Any:
        return json.loads((tmp_path / "stand-ins.json").read_text())

    physical_id, attributes = handler["create"]("Nat", {"SubnetId": "subnet-1"}, "Network")
    assert physical_id.startswith("nat-")
    assert attributes == {"NatGatewayId": physical_id}
    assert recorded() == {
        "Network/Nat": {"type": "AWS::EC2::NatGateway", "properties": {"SubnetId": "subnet-1"}}
    }

    same_id, _ = handler["update"](physical_id, {}, {"SubnetId": "subnet-2"}, "Network", "Nat")
    assert same_id == physical_id
    assert recorded()["Network/Nat"]["properties"] == {"SubnetId": "subnet-2"}

    handler["delete"](physical_id, {})
    assert recorded() == {}


def test_a_type_that_the_emulator_learns_needs_no_stand_in(records: Records) -> None:
    learnt = next(iter(STAND_INS))
    with pytest.raises(RuntimeError, match=f"provides {learnt} itself: remove"):
        register({learnt: {}}, records)


def test_a_plan_that_region_switch_would_refuse_fails_its_stack() -> None:
    handlers: dict[str, dict[str, Any]] = {}
    RegionSwitch().register(SimpleNamespace(_RESOURCE_HANDLERS=handlers))  # type: ignore[arg-type]  # a module
    with pytest.raises(PlanError, match="executionRole"):
        handlers["AWS::ARCRegionSwitch::Plan"]["create"](
            "Plan", {"Name": "plan", "Workflows": []}, "Recovery"
        )
