"""The section `identity`: what it refuses, and what the file of prod may not do without."""

from collections.abc import Callable

import pytest

from stacks.config.load import load_environment

ProblemsAfter = Callable[..., list[str]]
ANCHOR = "identity:\n  plan: essentials\n  mfa: optional\n"


def _with(section: str) -> tuple[str, str]:
    return (ANCHOR, f"identity:\n{section}")


OIDC = "type: oidc, name: Corporate, issuer: https://login.example.com, client_id: a, client_secret_name: b"


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ("  self_sign_up: true\n", "identity.self_sign_up is true; allowed: false without allowed_domains"),
        (
            "  machine_clients: [reports, reports]\n",
            "identity.machine_clients[1] is reports; allowed: each name once",
        ),
        (
            f"  providers:\n    - {{{OIDC}}}\n    - {{{OIDC}}}\n",
            "identity.providers[1] is Corporate; allowed: each name once",
        ),
        (
            f"  providers:\n    - {{{OIDC}, roles: {{admins: admin}}}}\n",
            "identity.providers[0].groups_claim is null; allowed: the name of a claim",
        ),
        (
            f"  providers:\n    - {{{OIDC}, groups_claim: groups}}\n",
            "identity.providers[0].roles is a mapping; allowed: a role for at least one group",
        ),
        (
            f"  providers:\n    - {{{OIDC}, scopes: [email]}}\n",
            "identity.providers[0].scopes is [email]; allowed: scopes with openid among them",
        ),
        (
            "  providers:\n    - {type: saml, name: Partner}\n",
            "identity.providers[0].metadata_url is null; allowed: either metadata_url or metadata_xml",
        ),
        (
            "  domain:\n    domain_name: sign-in-of-a-company-with-quite-a-name.dev.gatehouse.example.com\n"
            "    certificate_arn: "
            "arn:aws:acm:us-east-1:111111111111:certificate/00000000-0000-0000-0000-000000000000\n",
            "allowed: a name of at most 63 characters, to which Cognito binds passkeys",
        ),
        (
            "  mail:\n    from_address: no-reply@elsewhere.example\n",
            "identity.mail.from_address is no-reply@elsewhere.example; allowed: in dev.gatehouse.example.com",
        ),
        (
            "  domain:\n    domain_name: auth.elsewhere.example\n    certificate_arn: "
            "arn:aws:acm:us-east-1:111111111111:certificate/00000000-0000-0000-0000-000000000000\n",
            "identity.domain.domain_name is auth.elsewhere.example; allowed: in dev.gatehouse.example.com",
        ),
        (
            "  domain:\n    domain_name: auth.dev.gatehouse.example.com\n    certificate_arn: "
            "arn:aws:acm:eu-central-1:111111111111:certificate/00000000-0000-0000-0000-000000000000\n",
            "allowed: the ARN of a certificate in us-east-1, where Cognito wants it",
        ),
    ],
)
def test_one_mistake_is_one_line(problems_after: ProblemsAfter, section: str, expected: str) -> None:
    (line,) = problems_after("dev", _with(section))
    assert expected in line


@pytest.mark.parametrize("group", ['"all staff, gateway-admins"', '"[gateway-admins]"', "'\"quoted\"'"])
def test_a_group_s_name_cannot_be_a_list(problems_after: ProblemsAfter, group: str) -> None:
    section = f"  providers:\n    - {{{OIDC}, groups_claim: groups, roles: {{{group}: admin}}}}\n"
    (line,) = problems_after("dev", _with(section))
    assert "without commas, brackets and quotation marks" in line


@pytest.mark.parametrize(("field", "value"), [("plan", "essentials"), ("mfa", "optional")])
def test_prod_keeps_its_people_s_accounts_theirs(
    problems_after: ProblemsAfter, field: str, value: str
) -> None:
    (line,) = problems_after("prod", ("\nidentity:\n", f"\nidentity:\n  {field}: {value}\n"))
    assert f"identity.{field} is {value}; allowed: in prod " in line


def test_what_is_left_out_is_the_strictest() -> None:
    identity = load_environment("staging").identity
    assert (identity.plan, identity.mfa, identity.self_sign_up) == ("plus", "required", False)
    assert not identity.providers
    assert not identity.allowed_domains


def test_cognito_s_own_name_may_be_too_long_for_passkeys(problems_after: ProblemsAfter) -> None:
    edits = [(zone, zone.replace("us-east-1", "ap-southeast-2")) for zone in ("us-east-1a", "us-east-1b")]
    (line,) = problems_after("dev", ("region: us-east-1", "region: ap-southeast-2"), *edits)
    assert "identity.domain is gatehouse-dev-111111111111.auth.ap-southeast-2." in line
    assert "fix: name a shorter one of your own in domain.domain_name" in line
