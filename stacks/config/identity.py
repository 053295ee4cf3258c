"""The section `identity`."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from gateway.identity.issuers import Issuer
from gateway.validation import Breach, pattern, refuse
from stacks.config.domain_name import DomainName
from stacks.config.section import Section
from stacks.config.sign_in_provider import Provider

AppClientId = Annotated[
    str, pattern(r"^[\w+]{1,128}$", "the ID of a Cognito app client", "1h57kf5cpq17m0eml12EXAMPLE")
]
MachineName = Annotated[
    str,
    pattern(
        r"^[a-z][a-z0-9-]{0,30}[a-z0-9]$",
        "2 to 32 lower-case letters, digits and hyphens that begin with a letter",
        "nightly-reports",
    ),
]
MailAddress = Annotated[
    str,
    pattern(
        r"^[a-z0-9._+-]{1,64}@([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,}$",
        "an e-mail address in lower case",
        "no-reply@mail.gatehouse.example.com",
    ),
]


class Mail(Section):
    """How the platform writes to people: from a domain of its own, through Amazon SES."""

    from_address: Annotated[
        MailAddress,
        Field(description="Its domain is the platform's alone: SES signs for it, and DNS gets its records."),
    ]
    from_name: Annotated[
        str,
        pattern(r"^[A-Za-z0-9 .-]{1,64}$", "up to 64 letters, digits, spaces, dots and hyphens", "Gatehouse"),
    ] = "Gatehouse"
    reply_to: Annotated[MailAddress | None, Field(description="Where answers go; left out: nowhere.")] = None

    @property
    def domain(self) -> str:
        """The domain of the sender's address."""
        return self.from_address.partition("@")[2]


class SignInDomain(Section):
    """The sign-in page's own name in DNS, in place of one of Cognito's."""

    domain_name: DomainName
    certificate_arn: Annotated[
        str,
        pattern(
            r"^arn:aws:acm:us-east-1:\d{12}:certificate/[0-9a-f-]{36}$",
            "the ARN of a certificate in us-east-1, where Cognito wants it",
            "arn:aws:acm:us-east-1:111111111111:certificate/00000000-0000-0000-0000-000000000000",
        ),
    ]


class Identity(Section):
    """Who may sign in: people and machines of the platform's own user pool, and whose tokens count beside."""

    plan: Annotated[
        Literal["essentials", "plus"],
        Field(description="Cognito's plan: plus protects against stolen and guessed credentials."),
    ] = "plus"
    mfa: Annotated[
        Literal["required", "optional"],
        Field(description="A passkey, or a code beside the password: for everybody, or for who wants it."),
    ] = "required"
    session_hours: Annotated[
        int, Field(ge=1, le=720, description="How long people stay signed in before they are asked again.")
    ] = 12
    allowed_domains: Annotated[
        tuple[DomainName, ...],
        Field(
            examples=[["example.com"]],
            description="Whose addresses may get an account by signing up or through a provider; left out: "
            "everybody whom a provider vouches for.",
        ),
    ] = ()
    self_sign_up: Annotated[
        bool, Field(description="People of the allowed domains make their accounts themselves.")
    ] = False
    providers: Annotated[
        tuple[Provider, ...],
        Field(max_length=50, description="Corporate identity providers that people sign in with."),
    ] = ()
    domain: Annotated[SignInDomain | None, Field(description="Left out: a name of Cognito's.")] = None
    mail: Annotated[Mail | None, Field(description="Left out: Cognito's own sender, for 50 mails a day.")] = (
        None
    )
    machine_clients: Annotated[
        tuple[MachineName, ...],
        Field(max_length=100, description="Machines with credentials of their own, beside the first one."),
    ] = ()
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

    @model_validator(mode="after")
    def _rules(self) -> Self:
        refuse(self._breaches())
        return self

    def _breaches(self) -> Iterator[Breach]:
        if self.self_sign_up and not self.allowed_domains:
            allowed = "false without allowed_domains, so that not everybody gets an account"
            yield Breach(("self_sign_up",), True, allowed, "write false or name allowed_domains")
        yield from _named_twice("machine_clients", self.machine_clients)
        yield from _named_twice("providers", [provider.name for provider in self.providers])


def _named_twice(field: str, names: Sequence[str]) -> Iterator[Breach]:
    for index, name in enumerate(names):
        if name in names[:index]:
            yield Breach((field, index), name, "each name once", "remove it or give it another name")
