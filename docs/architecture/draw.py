"""Draws the architecture picture: `python -m docs.architecture.draw cdk.out/prod`, a synthesized environment.

Stacks, their order, resources and endpoints are those of the assembly; only places on the page are chosen.
"""

import argparse
from collections.abc import Mapping
from pathlib import Path

from docs.architecture.content import (
    by_region,
    endpoint_services,
    named_resources,
    subnets,
    with_one_model_access,
)
from docs.architecture.layout import (
    APPLICATIONS,
    BEDROCK,
    ENDPOINTS,
    FLOWS,
    HEIGHT,
    PLACES,
    STANDBY,
    STANDBY_BOX,
    STANDBY_COLUMNS,
    STANDBY_GAP,
    STANDBY_PLACES,
    VPC,
    WIDTH,
    Flow,
    Listing,
    Place,
    Rectangle,
)
from docs.architecture.svg import arrow, box, document, lines, text
from operations.assembly import Stack, read_stacks

PICTURE = Path(__file__).resolve().parents[1] / "images" / "architecture.svg"

_TITLE = "Gatehouse: the stacks of one environment"
_STANDBY_NOTE = (
    "The same stacks again, called Standby-Keys and so on; deployed first after those that they copy from."
)
_LEGEND = "Each box is a stack, deployed after those it names; ModelAccess is one in each account and region."


def draw(stacks: dict[str, Stack]) -> str:
    """Return the picture as SVG. Raises ValueError where the assembly holds what the layout does not know."""
    stacks, standby = by_region(with_one_model_access(stacks))
    _check_places("stacks", stacks, PLACES)
    _check_places("stacks of the standby", standby, STANDBY_PLACES)
    network = stacks["Network"]
    shapes = [
        box(Rectangle(1, 1, WIDTH - 2, HEIGHT - 2), "page"),
        text(24, 44, _TITLE, "title"),
        text(24, 66, _LEGEND, "note"),
        box(VPC, "network"),
        *_vpc_facts(network),
        *_outside(APPLICATIONS, "Applications", "with the OpenAI SDK"),
        *_outside(BEDROCK, "Amazon Bedrock", "models"),
    ]
    for name, place in PLACES.items():
        shapes += _stack(stacks[name], place)
    shapes += [*_endpoints(network), box(VPC, "border")]
    for flow in FLOWS:
        shapes += _flow(flow, stacks)
    shapes += _standby(standby)
    return document(WIDTH, HEIGHT, _TITLE, _description(stacks), shapes)


def _check_places(what: str, stacks: Mapping[str, Stack], places: Mapping[str, object]) -> None:
    if stacks.keys() != places.keys():
        raise ValueError(f"{what}: {', '.join(stacks)}; docs/architecture/layout.py has: {', '.join(places)}")


def _stack(stack: Stack, place: Place) -> list[str]:
    named = named_resources(stack)
    if missing := named.keys() - {kind for listing in place.listings for kind in listing.types}:
        raise ValueError(f"docs/architecture/layout.py lists no {', '.join(missing)} in {stack.name}")
    x, y, bottom = place.box.x + 16, place.box.y + 26, place.box.y + place.box.height - 12
    after = f"after {', '.join(stack.after) or 'none'}"
    if stack.name == "Network":  # its box, the VPC, lies below all others
        shapes = [text(x, y, stack.name, "name"), text(x, y + 41, after, "note")]
    else:
        frame = box(place.box, "stack")
        shapes = [frame, text(x, y, stack.name, "name"), text(x, bottom, after, "note")]
    for listing in place.listings:
        shapes += _listing(listing, stack, named)
    return shapes


def _standby(standby: Mapping[str, Stack]) -> list[str]:
    """The other region's stacks, each with some of what it holds."""
    x, y = STANDBY.x + 16, STANDBY.y + 26
    (region,) = {stack.region for stack in standby.values()}
    shapes = [
        box(STANDBY, "network"),
        text(x, y, f"Standby region {region}", "name"),
        text(x, y + 20, _STANDBY_NOTE, "note"),
    ]
    for index, (name, types) in enumerate(STANDBY_PLACES.items()):
        row, column = divmod(index, STANDBY_COLUMNS)
        width, height = STANDBY_BOX.width + STANDBY_GAP, STANDBY_BOX.height + STANDBY_GAP
        place = STANDBY_BOX._replace(x=STANDBY_BOX.x + column * width, y=STANDBY_BOX.y + row * height)
        named = named_resources(standby[name])
        listed = [named[kind] for kind in types] or [_vpc_words(standby[name]).removeprefix("VPC ")]
        shapes += [box(place, "stack"), text(place.x + 12, place.y + 24, name, "name")]
        shapes += lines(place.x + 12, place.y + 44, listed, "note", leading=17)
    return shapes


def _listing(listing: Listing, stack: Stack, named: dict[str, str]) -> list[str]:
    shapes = lines(listing.x, listing.y, [named[kind] for kind in listing.types if kind in named])
    if listing.subnets_of:
        below = listing.y + 21 * len(shapes)
        shapes.append(text(listing.x, below, subnets(stack, listing.subnets_of), "note"))
    return shapes


def _vpc_facts(network: Stack) -> list[str]:
    gateways, groups = (len(network.of_type(f"AWS::EC2::{kind}")) for kind in ("NatGateway", "SecurityGroup"))
    gateway_words = "1 NAT gateway" if gateways == 1 else f"{gateways} NAT gateways"
    return [
        text(VPC.x + 16, VPC.y + 48, _vpc_words(network)),
        text(VPC.x + 16, VPC.y + 286, f"{gateway_words}, {groups} security groups"),
    ]


def _vpc_words(network: Stack) -> str:
    (vpc,) = network.of_type("AWS::EC2::VPC")
    zones = {subnet.properties["AvailabilityZone"] for subnet in network.of_type("AWS::EC2::Subnet")}
    return f"VPC {vpc.properties['CidrBlock']} in {len(zones)} zones"


def _endpoints(network: Stack) -> list[str]:
    x, y = ENDPOINTS.x + 14, ENDPOINTS.y + 25
    services = endpoint_services(network)
    if "bedrock-runtime" not in services:
        raise ValueError("the VPC has no endpoint for bedrock-runtime, through which the picture leads")
    listed = lines(x, y + 21, services, "note", leading=19)
    return [box(ENDPOINTS, "stack"), text(x, y, "VPC endpoints"), *listed]


def _outside(place: Rectangle, name: str, note: str) -> list[str]:
    middle = place.x + place.width / 2
    return [
        box(place, "outside"),
        text(middle, place.y + 28, name, anchor="middle"),
        text(middle, place.y + 48, note, "note", anchor="middle"),
    ]


def _flow(flow: Flow, stacks: dict[str, Stack]) -> list[str]:
    stack, kind = flow.needs
    if not stacks[stack].of_type(kind):
        raise ValueError(f"an arrow of the picture needs {kind} in the stack {stack}, which has none")
    label = [text(*flow.label_at, flow.label, "note", anchor="middle")] if flow.label else []
    return [arrow(flow.start, flow.end), *label]


def _description(stacks: dict[str, Stack]) -> str:
    order = (f"{stack.name} deploys after {', '.join(stack.after) or 'none'}" for stack in stacks.values())
    return (
        "Applications call the load balancer of the Edge stack, which leads to the gateway's tasks in the "
        "Service stack. These reach Amazon Bedrock through VPC endpoints and use the database and the cache "
        f"of the Data stack. {'; '.join(order)}."
    )


def main() -> None:
    """Draw the picture."""
    parser = argparse.ArgumentParser(prog="python -m docs.architecture.draw")
    parser.add_argument("assembly", type=Path, help="a synthesized environment, for example cdk.out/prod")
    PICTURE.write_text(draw(read_stacks(parser.parse_args().assembly)), encoding="utf-8")


if __name__ == "__main__":
    main()
