"""Where the bodies of requests hold text of any kind, which a firewall must not judge."""

from gateway.openapi.operations import OPERATIONS

# Lines of the gateway's log, in batches, from an admin.
USAGE_IMPORT = "/admin/v1/usage/import"


def free_text_path_prefixes() -> tuple[str, ...]:
    """How the paths begin that take prompts, in the gateway's own description of its API, or logs."""
    prompts = {operation.path.partition("{")[0] for operation in OPERATIONS if operation.body}
    return (*sorted(_without_longer(prompts)), USAGE_IMPORT)


def _without_longer(prefixes: set[str]) -> set[str]:
    return {
        prefix
        for prefix in prefixes
        if not any(prefix != other and prefix.startswith(other) for other in prefixes)
    }
