"""What a verified token says: who its bearer is, a person or a machine."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from gateway.identity.errors import insufficient_scope, invalid_token
from gateway.identity.issuers import Issuer

Claims = Mapping[str, Any]

_LONGEST = 256
_MOST_ROLES = 200


class Bearer(NamedTuple):
    """Whom a token was issued to.

    id: the person's subject or the machine's client ID, unique within the issuer. project: what the token
    says, an ID or a name.
    """

    kind: Literal["user", "client"]
    id: str
    name: str
    roles: tuple[str, ...]
    project: str | None


def read_bearer(claims: Claims, issuer: Issuer) -> Bearer:
    """Tell a person from a machine; raises GatewayError 401, 403."""
    subject = _text(claims.get("sub"))
    # OpenID Connect Core 1.0, section 2: subjects are ASCII.
    if subject is None or not subject.isascii():
        raise invalid_token("the claim sub is no identifier")
    roles = _roles(claim(claims, issuer.roles_claim))
    client_id = _machine(claims, subject)
    if client_id is not None:
        scopes = claims.get("scope")
        granted = scopes.split(" ") if isinstance(scopes, str) else ()
        if issuer.required_scope is not None and issuer.required_scope not in granted:
            raise insufficient_scope(issuer.required_scope)
        return Bearer("client", client_id, client_id, roles, None)
    name = _text(claim(claims, issuer.name_claim)) or subject
    project = None if issuer.project_claim is None else claim(claims, issuer.project_claim)
    if project is not None and not isinstance(project, str):
        raise invalid_token("the claim of the project is no text")
    return Bearer("user", subject, name, roles, project)


def claim(claims: Claims, name: str) -> Any:
    """A claim by its name, or by the path to it: Keycloak's roles are in `realm_access.roles`."""
    if name in claims:
        return claims[name]
    found: Any = claims
    for part in name.split("."):
        if not isinstance(found, dict):
            return None
        found = found.get(part)
    return found


def _machine(claims: Claims, subject: str) -> str | None:
    """The client that signed in itself; None if a person did.

    Then it is the subject (RFC 9068, section 2.2; also Cognito's). Others say so in words of their own: Auth0
    by the subject, Entra ID by idtyp, Keycloak by the name of the client's service account.
    """
    if "username" in claims:
        return None
    for name in ("client_id", "azp", "appid"):
        client_id = _text(claims.get(name))
        if client_id is None or not client_id.isascii():
            continue
        account = f"service-account-{client_id}".lower()
        if (
            subject in (client_id, f"{client_id}@clients")
            or claims.get("idtyp") == "app"
            or claims.get("preferred_username") == account
        ):
            return client_id
    return None


def _text(value: object) -> str | None:
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST or not value.isprintable():
        return None
    return value


def _roles(value: object) -> tuple[str, ...]:
    values = [value] if isinstance(value, str) else value
    if not isinstance(values, list):
        return ()
    return tuple(each for each in values[:_MOST_ROLES] if isinstance(each, str))
