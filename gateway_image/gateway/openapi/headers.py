"""The headers of answers."""

from gateway.openapi.schemas import Json

_DESCRIPTIONS = {
    "x-request-id": "Names the request in the gateway's log; the caller's own, if it sent a sound one.",
    "request-id": "The same as x-request-id, where Anthropic's clients look for it.",
    "x-gatehouse-model": "The model that answered; after a fallback it is another than asked for.",
    "x-gatehouse-deployment": "The deployment that answered.",
    "x-gatehouse-region": "The AWS region of the deployment, if it has one.",
    "x-gatehouse-attempts": "How many deployments were asked.",
    "x-gatehouse-cache": "hit or miss, for models with a response cache.",
    "x-ratelimit-limit-requests": "The key's limit of requests a minute, where it has one.",
    "x-ratelimit-remaining-requests": "What is left of it.",
    "x-ratelimit-reset-requests": "When all of it will be there again, as in 1m30s.",
    "anthropic-ratelimit-requests-limit": "The key's limit of requests a minute, where it has one.",
    "anthropic-ratelimit-requests-remaining": "What is left of it.",
    "anthropic-ratelimit-requests-reset": "When all of it will be there again, as RFC 3339 writes a time.",
    "retry-after": "Seconds after which to try again.",
    "www-authenticate": "Bearer.",
}
_ALWAYS = "x-request-id"
_SERVED = (
    "x-gatehouse-model",
    "x-gatehouse-deployment",
    "x-gatehouse-region",
    "x-gatehouse-attempts",
    "x-gatehouse-cache",
)
_FAILED = ("x-gatehouse-attempts", "retry-after")
_NUMBERS = ("x-gatehouse-attempts", "retry-after")


def header_components() -> dict[str, Json]:
    """All headers, by name."""
    return {name: _component(name, text) for name, text in _DESCRIPTIONS.items()}


def headers_of(status: int, *, anthropic: bool, by_model: bool) -> Json:
    """What an answer's headers may be; by_model: whether a model was asked for it."""
    names = [_ALWAYS]
    if anthropic:
        names.append("request-id")
    if status == 401:
        names.append("www-authenticate")
    if by_model and status == 200:
        names += _SERVED
    if by_model and status in (429, 502, 503, 504):
        names += _FAILED
    if by_model and status in (200, 429):
        limits = "anthropic-ratelimit-" if anthropic else "x-ratelimit-"
        names += [name for name in _DESCRIPTIONS if name.startswith(limits)]
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _component(name: str, text: str) -> Json:
    kind = "integer" if name in _NUMBERS else "string"
    return {"description": text, "required": name == _ALWAYS, "schema": {"type": kind}}
