"""Everything between a call and the providers, and how it follows the model catalog."""

import asyncio
from collections.abc import Awaitable, Callable

from gateway.admission import Admission
from gateway.answering import Answering
from gateway.aws.assumed_roles import credentials_by_role
from gateway.aws.credentials import CredentialSource
from gateway.body_memory import BodyMemory
from gateway.cache.connection import Cache
from gateway.cache.cooldown_exchange import SharedCooldowns
from gateway.cache.response_cache import ResponseCache
from gateway.catalog import Catalog
from gateway.catalog_source import catalog_watch
from gateway.http_client import HttpClient
from gateway.ledger.sums import UsageSums
from gateway.provider_keys import ProviderKeys
from gateway.providers.bedrock.provider import BedrockProvider
from gateway.providers.openai_compatible.provider import OpenAICompatibleProvider
from gateway.providers.sagemaker.provider import SageMakerProvider
from gateway.remote_images.inlining import remote_images
from gateway.routing.router import Router
from gateway.routing.states import States
from gateway.settings import Settings
from gateway.structured_log import StructuredLog
from gateway.upstream import Upstream

Work = Callable[[], Awaitable[None]]


class ModelService:
    """Answers calls by the catalog that holds now.

    answering: what the API's handlers ask. admission: the limits it enforces. background: work that has to
    run as long as it serves.
    """

    def __init__(
        self,
        settings: Settings,
        http: HttpClient,
        credentials: CredentialSource,
        cache: Cache,
        sums: UsageSums,
        memory: BodyMemory,
        log: StructuredLog,
    ) -> None:
        self._watch = catalog_watch(settings, http, credentials, log)
        self._roles = credentials_by_role(settings, http, credentials)
        self._keys = ProviderKeys(http, credentials, settings.region, settings.secretsmanager_endpoint_url)
        cooldowns = SharedCooldowns(cache)
        self.states = States(cooldowns)
        cooldowns.listen(self.states.learn)
        self.admission = Admission(
            cache, log, sums=sums, when_cache_is_away=settings.limits_when_cache_is_away
        )
        self.answering = Answering(
            {
                "bedrock": BedrockProvider(
                    self._roles,
                    settings.bedrock_endpoint_url,
                    authentication=settings.bedrock_authentication,
                ),
                "openai_compatible": OpenAICompatibleProvider(self._keys),
                "sagemaker": SageMakerProvider(self._roles, settings.sagemaker_endpoint_url),
            },
            Upstream(http),
            ResponseCache(cache),
            remote_images(settings.image_url_hosts, memory),
        )
        self.background: tuple[Work, ...] = (
            credentials.keep_fresh,
            self._roles.keep_fresh,
            self._keys.keep_fresh,
            self.admission.keep_heartbeat,
        )

    async def start(self) -> None:
        """Load the catalog and get ready for its deployments; raises CatalogError."""
        await self._watch.start()
        await self._follow(self._watch.current)

    async def follow_catalog(self) -> None:
        """Put each new catalog into service until cancelled; begin when `start` is done."""
        await self._watch.watch(self._follow)

    async def _follow(self, catalog: Catalog) -> None:
        # A role or a key that cannot be had fails its deployments only.
        await asyncio.gather(self._roles.prepare_for(catalog), self._keys.prepare_for(catalog))
        self.answering.serve(catalog, Router(catalog, self.states, self.admission))
