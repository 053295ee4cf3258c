"""The kinds of values in the admin API's bodies and queries."""

import re
import unicodedata
from datetime import UTC, datetime
from ipaddress import IPv6Network, ip_network
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from gateway.catalog.names import ModelName
from gateway.validation import pattern

_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)")
_TIME_WORDS = "an RFC 3339 time with its zone, such as 2026-07-01T00:00:00Z, from 1970 to 9998"
# So that what is reckoned from a time is one, too.
_FIRST_YEAR, _LAST_YEAR = 1970, 9998
# Of what a role's name may hold, Cognito's rule for a group's name: letters, marks, numbers, symbols and
# punctuation.
_ROLE_NAME_CATEGORIES = frozenset("LMNSP")
_IPV4_MAPPED = IPv6Network("::ffff:0:0/96")


class Given(BaseModel):
    """The base of what callers send: nothing but what is described, each value of the type described."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Told(BaseModel):
    """The base of what callers get."""

    model_config = ConfigDict(frozen=True)


def _time(value: object) -> datetime:
    # pydantic alone would take numbers for times, too, and times without a zone.
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    if isinstance(value, str) and _TIME.fullmatch(value):
        try:
            moment = datetime.fromisoformat(value.upper()).astimezone(UTC)
        except (ValueError, OverflowError):
            moment = datetime.min
        if _FIRST_YEAR <= moment.year <= _LAST_YEAR:
            return moment
    raise PydanticCustomError("time", "{words}", {"words": _TIME_WORDS})


def _network(value: str) -> str:
    try:
        # A zone means something on one machine alone, and the database takes none.
        network = None if "%" in value else ip_network(value)
    except ValueError:
        network = None
    if network is None:
        words = "a network such as 10.0.0.0/8 or 2001:db8::/32, without bits set behind its prefix"
        raise PydanticCustomError("network", "{words}", {"words": words})
    if isinstance(network, IPv6Network) and network.subnet_of(_IPV4_MAPPED):
        # Callers' addresses are compared in IPv4's own form: this one would let nobody in.
        words = "an IPv4 network in its own form, such as 10.0.0.0/8"
        raise PydanticCustomError("network", "{words}", {"words": words})
    return str(network)


def _role_name(value: str) -> str:
    if all(unicodedata.category(character)[0] in _ROLE_NAME_CATEGORIES for character in value):
        return value
    words = "1 to 128 characters without spaces and control characters, as the name of a Cognito group"
    raise PydanticCustomError("role_name", "{words}", {"words": words})


Time = Annotated[
    datetime,
    BeforeValidator(_time),
    WithJsonSchema({"type": "string", "format": "date-time", "description": _TIME_WORDS}),
]
Name = Annotated[
    str,
    pattern(
        r"^[^\s\x00-\x1f\x7f]([^\x00-\x1f\x7f]{0,98}[^\s\x00-\x1f\x7f])?$",
        "1 to 100 characters without control characters, with no space at either end",
        "search-team",
    ),
]
Description = Annotated[
    str, pattern(r"^[^\x00]{0,1000}$", "up to 1,000 characters", "Search and recommendations")
]
Network = Annotated[str, Field(max_length=64, examples=["10.0.0.0/8"]), AfterValidator(_network)]
Client = Annotated[
    str,
    pattern(
        r"^https?://[^#\s\x00-\x1f\x7f]{1,512}#[^#\s\x00-\x1f\x7f]{1,256}$",
        "the issuer's URL, # and the client ID",
        "https://cognito-idp.us-east-1.amazonaws.com/us-east-1_Abc123#4h57example",
    ),
]
RoleName = Annotated[
    str, Field(min_length=1, max_length=128, examples=["developers"]), AfterValidator(_role_name)
]
ProjectId = Annotated[
    str,
    pattern(r"^proj_[0-9a-f]{16}$", "proj_ and 16 hexadecimal digits", "proj_0123456789abcdef"),
]
KeyId = Annotated[
    str, pattern(r"^key_[0-9a-f]{16}$", "key_ and 16 hexadecimal digits", "key_0123456789abcdef")
]
CallerId = Annotated[
    str,
    pattern(
        r"^(key_|user:|client:|bootstrap:)[^\x00-\x1f\x7f]{1,900}$",
        "key_..., user:<issuer>#<subject>, client:<issuer>#<client ID> or bootstrap:<name>",
        "key_0123456789abcdef",
    ),
]
ModelOrAny = Annotated[
    str,
    pattern(r"^(\*|[a-zA-Z0-9][a-zA-Z0-9._:/-]{0,127})$", "a model's name, or * for every other model", "*"),
]
# None: every model, every address.
Models = Annotated[tuple[ModelName, ...], Field(min_length=1, max_length=1000)] | None
Networks = Annotated[tuple[Network, ...], Field(min_length=1, max_length=100)] | None
Roles = Annotated[tuple[RoleName, ...], Field(max_length=50)]
PageSize = Annotated[int, Field(ge=1, le=500, description="How many entries at most.")]
Cursor = Annotated[str, Field(max_length=2000, description="What an earlier answer gave as `next`.")]
