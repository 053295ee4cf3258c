"""What the tokens of a user pool call their issuer."""

# Where the public keys are, below an issuer.
KEYS_PATH = "/.well-known/jwks.json"


def regional_host(region: str) -> str:
    """Where Cognito answers in one region."""
    return f"cognito-idp.{region}.amazonaws.com"


def original_issuer(region: str, user_pool_id: str) -> str:
    """The issuer of a user pool in one region, which alone serves its keys."""
    return f"https://{regional_host(region)}/{user_pool_id}"


def shared_issuer(region: str, user_pool_id: str) -> str:
    """The issuer of the user pool of `region` and of its copy elsewhere; both regions serve its keys."""
    return f"https://issuer-{regional_host(region)}/{user_pool_id}"
