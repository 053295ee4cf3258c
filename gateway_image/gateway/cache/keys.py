"""Names of all keys and channels: under the one prefix that the gateway's user may touch.

What one script touches together has one hash tag, {in braces}, so that a cluster keeps it in one slot.
"""

PREFIX = "gatehouse:"

COOLDOWNS = f"{PREFIX}cooldowns"


def caller_requests(caller: str) -> str:
    """A caller's requests of the last minute."""
    return f"{PREFIX}{{limits}}:caller:{caller}:requests"


def deployment_requests(deployment: str) -> str:
    """The requests of the last minute that went to a deployment."""
    return f"{PREFIX}{{limits}}:deployment:{deployment}:requests"


def deployment_tokens(deployment: str) -> str:
    """The tokens of the last minute that a deployment had to deal with."""
    return f"{PREFIX}{{limits}}:deployment:{deployment}:tokens"


def response(digest: str) -> str:
    """An answer that is kept, by the digest of what it depends on."""
    return f"{PREFIX}response:{digest}"
