"""The section `firewall` of `edge`."""

from collections.abc import Iterator
from typing import Annotated, Self

from pydantic import Field, model_validator

from gateway.validation import Breach, pattern, refuse
from stacks.config.ip_network import IpNetwork, listed_twice
from stacks.config.section import Section

Country = Annotated[str, pattern(r"^[A-Z]{2}$", "a country's code of two capital letters (ISO 3166-1)", "DE")]
PathPrefix = Annotated[
    str, pattern(r"^/[A-Za-z0-9_./-]{1,99}$", "how a path begins: / and at least one character", "/chat/")
]
# An IP set of AWS WAF holds as many.
Networks = Annotated[tuple[IpNetwork, ...], Field(max_length=10_000)]
Countries = Annotated[tuple[Country, ...], Field(examples=[["DE", "FR"]])]
Limit = Annotated[int, Field(ge=10, le=2_000_000_000)]


class Firewall(Section):
    """What AWS WAF refuses before the gateway sees it."""

    requests_per_5_minutes_per_address: Limit = 10_000
    requests_per_5_minutes_per_key: Annotated[
        Limit, Field(description="By the value of the header that carries the key or the token.")
    ] = 30_000
    trusted_cidrs: Annotated[
        Networks,
        Field(
            description="Networks whose many callers share few addresses: no limit per address and no list "
            "of bad addresses concerns them."
        ),
    ] = ()
    blocked_cidrs: Networks = ()
    allowed_countries: Annotated[Countries, Field(description="None of the others; empty for all.")] = ()
    blocked_countries: Countries = ()
    free_text_paths: Annotated[
        tuple[PathPrefix, ...],
        Field(
            # With these all rules together still need no more capacity than the basic price covers.
            max_length=16,
            description="How further paths begin that take prompts, with an image whose paths are not the "
            "bundled gateway's: no rule judges a body there.",
        ),
    ] = ()
    anti_ddos: Annotated[
        bool,
        Field(description="AWS's rules that learn the usual traffic and refuse attackers; paid for apart."),
    ] = True
    block_anonymous_networks: Annotated[bool, Field(description="Tor, open proxies and anonymous VPNs.")] = (
        False
    )
    bot_control: Annotated[
        bool,
        Field(description="Crawlers and automated browsers, by what they say of themselves; paid for apart."),
    ] = False

    @model_validator(mode="after")
    def _rules(self) -> Self:
        refuse(self._breaches())
        return self

    def _breaches(self) -> Iterator[Breach]:
        if self.allowed_countries and self.blocked_countries:
            fix = "remove blocked_countries: no country but the allowed ones is let in"
            yield Breach(("blocked_countries",), self.blocked_countries, "none beside allowed_countries", fix)
        # AWS WAF takes every prefix but that of all addresses, and networks within others: published lists of
        # what to block have them.
        for name in ("trusted_cidrs", "blocked_cidrs"):
            yield from listed_twice((name,), getattr(self, name))
            for index, cidr in enumerate(getattr(self, name)):
                if cidr.prefixlen == 0:
                    yield Breach((name, index), str(cidr), "a part of all addresses", "name smaller networks")
