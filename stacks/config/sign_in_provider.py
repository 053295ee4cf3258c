"""Corporate identity providers through which people sign in to the user pool."""

from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from gateway.validation import Breach, pattern, refuse
from stacks.config.section import Section

_SAML_CLAIMS = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims"

HttpsUrl = Annotated[
    str,
    pattern(
        r"^https://([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,}(/[^\s?#]*)?(\?[^\s#]*)?$",
        "an https URL without a fragment",
        "https://login.example.com/app/metadata",
    ),
]
ClaimName = Annotated[str, Field(min_length=1, max_length=256, examples=["groups"])]
# Cognito writes a person's groups as one text, [one, two]: a name with these signs could pose as several.
GroupName = Annotated[
    str,
    pattern(
        r"^[^\s,\[\]\"]([^,\[\]\"]*[^\s,\[\]\"])?$",
        "a group's name or ID at the provider, without commas, brackets and quotation marks",
        "gateway-admins",
    ),
]
RoleName = Annotated[
    str,
    pattern(r"^[A-Za-z0-9_.:-]{1,128}$", "a role's name without spaces, up to 128 characters", "developers"),
]


class _Provider(Section):
    name: Annotated[
        str,
        pattern(
            r"^[A-Za-z][A-Za-z0-9-]{2,31}$",
            "3 to 32 letters, digits and hyphens that begin with a letter",
            "Example-SSO",
            "What the sign-in page calls it; part of each person's user name, so it stays.",
        ),
    ]
    project_claim: Annotated[
        ClaimName | None,
        Field(description="Which claim holds the ID or the name of the project a person works for."),
    ] = None
    groups_claim: Annotated[ClaimName | None, Field(description="Which claim holds a person's groups.")] = (
        None
    )
    roles: Annotated[
        dict[GroupName, RoleName],
        Field(
            default_factory=dict,
            description="The gateway's role for each group of the provider; other groups give none.",
        ),
    ]

    @model_validator(mode="after")
    def _rules(self) -> Self:
        refuse(self._breaches())
        return self

    def _breaches(self) -> Iterator[Breach]:
        if self.roles and self.groups_claim is None:
            allowed = "the name of a claim, because roles names groups"
            yield Breach(("groups_claim",), None, allowed, "write groups, or what the provider calls them")
        if self.groups_claim is not None and not self.roles:
            allowed = "a role for at least one group, because groups_claim asks for groups"
            yield Breach(("roles",), self.roles, allowed, "name a group and its role, or remove groups_claim")


class SamlProvider(_Provider):
    """A provider of SAML 2.0."""

    type: Literal["saml"]
    metadata_url: Annotated[
        HttpsUrl | None,
        Field(description="Where its metadata are; Cognito reads them again every six hours."),
    ] = None
    metadata_xml: Annotated[
        str | None,
        Field(min_length=1, max_length=100_000, description="Its metadata, where no URL serves them."),
    ] = None
    email_claim: ClaimName = f"{_SAML_CLAIMS}/emailaddress"
    name_claim: ClaimName = f"{_SAML_CLAIMS}/name"

    def _breaches(self) -> Iterator[Breach]:
        yield from super()._breaches()
        if (self.metadata_url is None) == (self.metadata_xml is None):
            allowed = "either metadata_url or metadata_xml"
            fix = "write one of them"
            yield Breach(("metadata_url",), self.metadata_url, allowed, fix)


class OidcProvider(_Provider):
    """A provider of OpenID Connect."""

    type: Literal["oidc"]
    issuer: HttpsUrl
    client_id: Annotated[str, Field(min_length=1, max_length=256, examples=["gatehouse"])]
    client_secret_name: Annotated[
        str,
        pattern(
            r"^[A-Za-z0-9/_+=.@-]{1,256}$",
            "the name of a secret in AWS Secrets Manager",
            "gatehouse/sso-client-secret",
            "The secret whose text is the client's secret; read when the provider is created or changed.",
        ),
    ]
    scopes: Annotated[
        tuple[Annotated[str, Field(pattern=r"^[\x21\x23-\x5b\x5d-\x7e]+$")], ...],
        Field(min_length=1, description="openid among them."),
    ] = ("openid", "email", "profile")
    email_claim: ClaimName = "email"
    name_claim: ClaimName = "name"

    def _breaches(self) -> Iterator[Breach]:
        yield from super()._breaches()
        if "openid" not in self.scopes:
            yield Breach(("scopes",), self.scopes, "scopes with openid among them", "add openid")


Provider = Annotated[SamlProvider | OidcProvider, Field(discriminator="type")]
