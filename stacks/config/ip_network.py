"""Networks, of IPv4 or IPv6 addresses."""

from typing import Annotated

from pydantic import Field, IPvAnyNetwork

IpNetwork = Annotated[IPvAnyNetwork, Field(examples=["192.0.2.0/24"])]
