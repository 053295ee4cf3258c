"""What the web application firewall is told about the API behind it and its callers."""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network


@dataclass(frozen=True, kw_only=True)
class WebAclPolicy:
    """Whom the firewall lets through, how often, and where it may not judge what a body says.

    free_text_paths: how the paths begin whose bodies may say anything, such as prompts.
    trusted_networks: of many callers behind few addresses; no rule about addresses concerns them.
    allowed_countries, blocked_countries: ISO 3166 codes; of the two, one is empty. No allowed country
    means every country.
    """

    free_text_paths: Sequence[str]
    requests_per_5_minutes_per_address: int
    requests_per_5_minutes_per_key: int
    trusted_networks: Sequence[IPv4Network | IPv6Network] = ()
    blocked_networks: Sequence[IPv4Network | IPv6Network] = ()
    allowed_countries: Sequence[str] = ()
    blocked_countries: Sequence[str] = ()
    anti_ddos: bool = True
    block_anonymous_networks: bool = False
    bot_control: bool = False
