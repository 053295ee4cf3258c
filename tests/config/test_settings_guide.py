"""docs/settings.md lists the gateway's settings as they are."""

import re
from pathlib import Path

from pydantic.fields import FieldInfo

from gateway.settings import Settings, variable
from stacks.config.service import Service

GUIDE = (Path(__file__).resolve().parents[2] / "docs/settings.md").read_text()


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.default
    return "" if value is None else f"`{str(value).lower() if isinstance(value, bool) else value}`"


def test_every_setting_is_listed_with_its_default() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.*?) ?\|", GUIDE, re.MULTILINE)
    assert rows == [(variable(name), _default(field)) for name, field in Settings.model_fields.items()]


def test_the_fields_of_the_configuration_exist() -> None:
    assert set(re.findall(r"`service\.(\w+)`", GUIDE)) <= set(Service.model_fields)
