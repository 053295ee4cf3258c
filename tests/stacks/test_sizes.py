"""Templates stay small: CloudFormation takes 500 resources and 1 MB, and people read them."""

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.stacks.conftest import Assembly

MAXIMUM_RESOURCES = 400
MAXIMUM_BYTES = 700_000


def test_every_template_leaves_room(assembly: "Assembly") -> None:
    sizes = {
        stack: (len(template["Resources"]), len(json.dumps(template, indent=1)))
        for stack, template in assembly.templates.items()
    }
    too_large = {
        stack: size for stack, size in sizes.items() if size[0] > MAXIMUM_RESOURCES or size[1] > MAXIMUM_BYTES
    }
    assert too_large == {}
