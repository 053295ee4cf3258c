"""The picture shows what the production synthesizes, and stops where it would leave something out."""

from dataclasses import replace

import pytest

from docs.architecture.content import by_region, with_one_model_access
from docs.architecture.draw import PICTURE, draw
from operations.assembly import Resource, Stack

Stacks = dict[str, Stack]


def test_the_committed_picture_is_current(production_stacks: Stacks) -> None:
    assert PICTURE.read_text(encoding="utf-8") == draw(production_stacks), "run: make picture"


def test_it_names_every_stack_and_those_it_deploys_after(production_stacks: Stacks) -> None:
    picture = draw(production_stacks)
    primary, standby = by_region(with_one_model_access(production_stacks))
    for stack in primary.values():
        assert f">{stack.name}</text>" in picture
        assert f">after {', '.join(stack.after) or 'none'}</text>" in picture
    for stack in standby.values():
        assert picture.count(f">{stack.name}</text>") == 1 + (stack.name in primary)


def _with(stacks: Stacks, name: str, resource_type: str) -> Stacks:
    stack = stacks[name]
    return {**stacks, name: replace(stack, resources={**stack.resources, "New": Resource(resource_type, {})})}


def _without(stacks: Stacks, name: str, resource_type: str) -> Stacks:
    found = stacks[name].resources.items()
    kept = {logical_id: resource for logical_id, resource in found if resource.type != resource_type}
    return {**stacks, name: replace(stacks[name], resources=kept)}


def test_a_new_stack_must_be_placed(production_stacks: Stacks) -> None:
    with pytest.raises(ValueError, match=r"stacks: .*Console"):
        draw({**production_stacks, "Console": Stack("Console", (), {})})


def test_a_new_stack_of_the_standby_must_be_placed(production_stacks: Stacks) -> None:
    with pytest.raises(ValueError, match=r"stacks of the standby: .*Console"):
        draw({**production_stacks, "Standby-Console": Stack("Standby-Console", (), {})})


def test_a_new_type_of_resource_must_be_decided_on(production_stacks: Stacks) -> None:
    with pytest.raises(ValueError, match="stack Data holds AWS::SQS::Queue: say in"):
        draw(_with(production_stacks, "Data", "AWS::SQS::Queue"))


def test_a_named_resource_in_another_stack_must_be_placed(production_stacks: Stacks) -> None:
    with pytest.raises(ValueError, match="lists no AWS::WAFv2::WebACL in Service"):
        draw(_with(production_stacks, "Service", "AWS::WAFv2::WebACL"))


def test_an_arrow_needs_what_it_stands_for(production_stacks: Stacks) -> None:
    with pytest.raises(ValueError, match=r"needs .*::ListenerRule in the stack Service"):
        draw(_without(production_stacks, "Service", "AWS::ElasticLoadBalancingV2::ListenerRule"))


def test_the_way_to_bedrock_needs_its_endpoint(production_stacks: Stacks) -> None:
    with pytest.raises(ValueError, match="no endpoint for bedrock-runtime"):
        draw(_without(production_stacks, "Network", "AWS::EC2::VPCEndpoint"))
