"""Which path is answered by what."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from gateway import openapi
from gateway.application import Routes
from gateway.chat_completions import ChatCompletions
from gateway.embeddings import Embeddings
from gateway.health import Health
from gateway.intake import Intake
from gateway.load_shedding import LoadShedding
from gateway.messages import Messages
from gateway.models import Models
from gateway.parts import Parts
from gateway.responses import Responses


class AllRoutes(NamedTuple):
    """Every path with its methods and their handlers: `first` those of models, `later` loads the others."""

    first: Routes
    later: Callable[[], Routes]


def all_routes(parts: Parts, shedding: LoadShedding, health: Health) -> AllRoutes:
    """Which path is answered by what."""
    settings, answering = parts.settings, parts.service.answering
    intake = Intake(
        parts.identity,
        shedding,
        parts.memory,
        body_limit_bytes=settings.request_body_limit_bytes,
        json_depth_limit=settings.request_json_depth_limit,
    )
    chat, embeddings = ChatCompletions(intake, answering), Embeddings(intake, answering)
    messages, models = Messages(intake, answering), Models(intake, answering)
    first: Routes = {
        "/v1/chat/completions": {"POST": chat.create},
        "/openai/deployments/{model}/chat/completions": {"POST": chat.create},
        "/v1/embeddings": {"POST": embeddings.create},
        "/openai/deployments/{model}/embeddings": {"POST": embeddings.create},
        "/v1/responses": {"POST": Responses(intake, answering).create},
        "/v1/messages": {"POST": messages.create},
        "/v1/messages/count_tokens": {"POST": messages.count_tokens},
        "/v1/models": {"GET": models.list},
        "/v1/models/{model}": {"GET": models.retrieve},
        "/openapi.json": {"GET": openapi.describe},
        "/health/live": {"GET": health.live},
        "/health/ready": {"GET": health.ready},
    }
    return AllRoutes(first, partial(_routes_of_admins, parts, intake))


def _routes_of_admins(parts: Parts, intake: Intake) -> Routes:
    # The shapes of the admin API take as long to load as half of the gateway.
    from gateway.admin.parts import AdminParts
    from gateway.admin.routes import admin_routes

    service = parts.service
    admin_parts = AdminParts(
        identify=intake.identify,
        database=parts.database,
        counters=service.admission,
        catalog=lambda: service.answering.catalog,
        states=service.states,
        bootstrap_callers=parts.identity.bootstrap_callers,
        key_hashing_secret=parts.settings.key_hashing_secret.get_secret_value().encode(),
    )
    return admin_routes(admin_parts)
