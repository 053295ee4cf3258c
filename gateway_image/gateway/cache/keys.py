"""Names of all keys and channels: under the one prefix that the gateway's user may touch.

What one script touches together has one hash tag, {in braces}, so that a cluster keeps it in one slot.
"""

PREFIX = "gatehouse:"

COOLDOWNS = f"{PREFIX}cooldowns"
# The processes that enforce limits, by when they were last heard of.
PROCESSES = f"{PREFIX}{{limits}}:processes"


def limit_window(name: str, kind: str, model: str | None, id: str) -> str:
    """What counts against the limit of this name on a caller or a project, on one model or all together.

    No two limits have the same key, whatever an ID consists of: a model's name holds no vertical bar.
    """
    return f"{PREFIX}{{limits}}:{name}:{kind}:{model or ''}|{id}"


def deployment_requests(deployment: str) -> str:
    """The requests of the last minute that went to a deployment."""
    return f"{PREFIX}{{limits}}:deployment:{deployment}:requests"


def deployment_tokens(deployment: str) -> str:
    """The tokens of the last minute that a deployment had to deal with."""
    return f"{PREFIX}{{limits}}:deployment:{deployment}:tokens"


def response(digest: str) -> str:
    """An answer that is kept, by the digest of what it depends on."""
    return f"{PREFIX}response:{digest}"
