"""Names in DNS."""

from typing import Annotated

from gateway.validation import pattern

DomainName = Annotated[
    str,
    pattern(
        r"^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,}$",
        "a domain name in lower case with at least one dot and none at its end",
        "api.gatehouse.example.com",
    ),
]
