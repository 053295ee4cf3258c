"""Which path is answered by what."""

from gateway import openapi
from gateway.admin.parts import AdminParts
from gateway.admin.routes import admin_routes
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


def all_routes(parts: Parts, shedding: LoadShedding, health: Health) -> Routes:
    """Every path with its methods and their handlers."""
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
    return {
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
        **admin_routes(_admin_parts(parts, intake)),
    }


def _admin_parts(parts: Parts, intake: Intake) -> AdminParts:
    service = parts.service
    return AdminParts(
        identify=intake.identify,
        database=parts.database,
        counters=service.admission,
        catalog=lambda: service.answering.catalog,
        states=service.states,
        bootstrap_callers=parts.identity.bootstrap_callers,
        key_hashing_secret=parts.settings.key_hashing_secret.get_secret_value().encode(),
    )
