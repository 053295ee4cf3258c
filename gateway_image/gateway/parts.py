"""The parts of one gateway process and how they depend on each other."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from gateway.authentication import Identity
from gateway.aws.credentials import CredentialSource
from gateway.body_memory import BodyMemory
from gateway.cache.connection import Cache
from gateway.database import Database
from gateway.directory import Directory
from gateway.http_client import HttpClient
from gateway.ledger import Ledger
from gateway.ledger.sums import UsageSums
from gateway.model_service import ModelService
from gateway.reachability import Reachability
from gateway.settings import Settings
from gateway.structured_log import StructuredLog

Work = Callable[[], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What requests are answered with. background: work that has to run as long as the process serves."""

    settings: Settings
    database: Database
    ledger: Ledger
    directory: Directory
    identity: Identity
    memory: BodyMemory
    service: ModelService
    reachability: Reachability
    background: tuple[Work, ...]


def build_parts(
    settings: Settings, http: HttpClient, credentials: CredentialSource, log: StructuredLog
) -> Parts:
    """Put the parts together; nothing is started and nothing is connected yet."""
    cache, database = Cache(settings, credentials), Database(settings, credentials)
    ledger = Ledger(database, log, retention_months=settings.usage_retention_months)
    directory = Directory(database, log, known_seconds=settings.known_keys_seconds)
    identity = Identity(settings, directory, http, log)
    memory = BodyMemory(settings.request_bodies_limit_bytes)
    service = ModelService(settings, http, credentials, cache, UsageSums(database), memory, log)
    reachability = Reachability(cache.ping, database.ping, log)
    return Parts(
        settings=settings,
        database=database,
        ledger=ledger,
        directory=directory,
        identity=identity,
        memory=memory,
        service=service,
        reachability=reachability,
        background=(
            cache.stay_connected,
            reachability.watch,
            directory.keep_current,
            identity.keep_current,
            ledger.keep_writing,
            *service.background,
        ),
    )
