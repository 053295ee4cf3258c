"""GET /v1/models: what callers may ask for."""

import msgspec

from gateway.api_keys import ApiKeys
from gateway.authentication import authenticate
from gateway.catalog import Catalog
from gateway.request import Request


class Models:
    """Answers with the catalog's models, in OpenAI's shape."""

    def __init__(self, catalog: Catalog, keys: ApiKeys) -> None:
        self._keys = keys
        self._body = _listing(catalog)

    async def list(self, request: Request) -> None:
        """List the models; raises GatewayError 401."""
        authenticate(request, self._keys)
        await request.respond(200, self._body)


def _listing(catalog: Catalog) -> bytes:
    # OpenAI's clients want a creation time; when a provider made its model is not known here.
    models = [
        {"id": model.name, "object": "model", "created": 0, "owned_by": model.deployments[0].provider}
        for model in catalog.models
    ]
    return msgspec.json.encode({"object": "list", "data": models})
