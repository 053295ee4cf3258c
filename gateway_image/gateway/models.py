"""GET /v1/models: what callers may ask for."""

import msgspec

from gateway.answering import Answering
from gateway.catalog import Catalog
from gateway.identity.errors import model_not_allowed
from gateway.intake import Intake
from gateway.request import Request
from gateway.routing.router import unknown_model


class Models:
    """Answers with the catalog's models, in OpenAI's shape."""

    def __init__(self, intake: Intake, answering: Answering) -> None:
        self._intake = intake
        self._answering = answering

    async def list(self, request: Request) -> None:
        """List the models that the caller may call; raises GatewayError as Intake.identify does."""
        caller = await self._intake.identify(request)
        catalog = self._answering.catalog
        models = [_entry(catalog, name) for name in catalog.by_name if caller.may_call(name)]
        await request.respond(200, msgspec.json.encode({"object": "list", "data": models}))

    async def retrieve(self, request: Request) -> None:
        """Describe one model; raises GatewayError 403 and 404, and as Intake.identify does."""
        caller = await self._intake.identify(request)
        name, catalog = request.path_value or "", self._answering.catalog
        if name not in catalog.by_name:
            raise unknown_model(name)
        if not caller.may_call(name):
            raise model_not_allowed(caller, name)
        await request.respond(200, msgspec.json.encode(_entry(catalog, name)))


def _entry(catalog: Catalog, name: str) -> dict[str, object]:
    # OpenAI's clients want a creation time; when a provider made its model is not known here.
    owner = catalog.by_name[name].deployments[0].provider
    return {"id": name, "object": "model", "created": 0, "owned_by": owner}
