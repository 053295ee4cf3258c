"""Whom a connection to the database trusts."""

import ssl
from pathlib import Path

_CERTIFICATE_AUTHORITIES = Path(__file__).parents[1] / "certificates" / "rds.pem"


def tls_context() -> ssl.SSLContext:
    """Only RDS's own authorities are trusted, and the host's name is checked: PostgreSQL's verify-full."""
    return ssl.create_default_context(cafile=_CERTIFICATE_AUTHORITIES)
