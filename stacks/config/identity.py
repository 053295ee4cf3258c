"""The section `identity`."""

from typing import Annotated

from pydantic import Field

from gateway.identity.issuers import Issuer
from gateway.validation import pattern
from stacks.config.section import Section

AppClientId = Annotated[
    str, pattern(r"^[\w+]{1,128}$", "the ID of a Cognito app client", "1h57kf5cpq17m0eml12EXAMPLE")
]


class Identity(Section):
    """Whose tokens the gateway accepts beside those of its own user pool's machine client."""

    app_client_ids: Annotated[
        tuple[AppClientId, ...],
        Field(
            examples=[["1h57kf5cpq17m0eml12EXAMPLE"]],
            description="Further app clients of the platform's user pool, such as your own applications'.",
        ),
    ] = ()
    issuers: Annotated[
        tuple[Issuer, ...],
        Field(description="Corporate OpenID providers; with network.nat none they cannot be reached."),
    ] = ()
