"""What is accepted, and yet may not be as it was meant."""

from collections.abc import Iterable

from gateway.admin.front import Asked
from gateway.callers import ANY_MODEL

_SHOWN_NAMES = 20


def unknown_models(asked: Asked, names: Iterable[str] | None) -> list[str]:
    """Warn of names that no model has now: a later catalog may have them, or they are misspelt."""
    known = asked.parts.catalog().by_name
    return _warning(
        "models that the catalog does not have now", set(names or ()) - known.keys() - {ANY_MODEL}
    )


def unknown_roles(names: Iterable[str], known: Iterable[str]) -> list[str]:
    """Warn of names that no role has."""
    return _warning("roles that do not exist", set(names) - set(known))


def _warning(what: str, names: Iterable[str]) -> list[str]:
    listed = sorted(names)
    more = ", ..." if len(listed) > _SHOWN_NAMES else ""
    return [f"It names {what}: {', '.join(listed[:_SHOWN_NAMES])}{more}."] if listed else []
