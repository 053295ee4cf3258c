"""Where the model catalog comes from, a JSON file or AWS AppConfig, and what happens when it changes."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from gateway.aws.appconfig import AppConfigError, AppConfigProfile
from gateway.aws.credentials import CredentialSource
from gateway.catalog import Catalog
from gateway.http_client import HttpClient
from gateway.retry import with_retries
from gateway.settings import Settings
from gateway.structured_log import StructuredLog
from gateway.validation import errors_of
from gateway.watched_file import WatchedFile

OnChange = Callable[[Catalog], Awaitable[None]]


class CatalogError(Exception):
    """There is no valid catalog; `problems` are the reasons, and the message has one a line."""

    def __init__(self, source: str, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(f"{source}: {problem}" for problem in self.problems))


class Document(Protocol):
    """What the catalog is read from."""

    @property
    def poll_seconds(self) -> float:
        """How long to wait before the next fetch."""

    async def fetch(self) -> bytes | None:
        """Return the content, None if it is the same as last time; raises AppConfigError or OSError."""


class CatalogWatch:
    """The catalog that is served, and its successors.

    `current` is the last valid one. A document that does not parse or breaks a rule is refused, with every
    reason in the log, and the current catalog stays.
    """

    current: Catalog

    def __init__(self, document: Document, source: str, log: StructuredLog) -> None:
        self._document = document
        self._source = source
        self._log = log
        self._latest: bytes | None = None
        self._is_reachable = True

    async def start(self) -> None:
        """Load the first catalog; raises CatalogError."""
        try:
            content = await with_retries(self._document.fetch, retry_on=AppConfigError)
        except (AppConfigError, OSError) as error:
            raise CatalogError(self._source, [f"cannot be read: {error}"]) from error
        self._latest = content or b""
        self.current = await asyncio.to_thread(parse_catalog, self._latest, self._source)

    async def watch(self, on_change: OnChange) -> None:
        """Look for other documents until cancelled; `on_change` puts each valid catalog into service."""
        while True:
            await asyncio.sleep(self._document.poll_seconds)
            try:
                content = await self._document.fetch()
            except (AppConfigError, OSError) as error:
                self._note_unreachable(error)
                continue
            self._is_reachable = True
            # A new session of AppConfig's begins with the document that there was before.
            if content is not None and content != self._latest:
                await self._take(content, on_change)

    async def _take(self, content: bytes, on_change: OnChange) -> None:
        try:
            # In a thread, so that requests go on meanwhile.
            catalog = await asyncio.to_thread(parse_catalog, content, self._source)
        except CatalogError as error:
            self._latest = content
            self._log.write("error", "catalog_refused", source=self._source, problems=error.problems)
            return
        await on_change(catalog)
        self._latest, self.current = content, catalog
        self._log.write(
            "info", "catalog_changed", source=self._source, models=[model.name for model in catalog.models]
        )

    def _note_unreachable(self, error: Exception) -> None:
        if self._is_reachable:
            self._log.write("warning", "catalog_unreachable", source=self._source, problem=str(error))
        self._is_reachable = False


def catalog_watch(
    settings: Settings, http: HttpClient, credentials: CredentialSource, log: StructuredLog
) -> CatalogWatch:
    """The watch over what `settings.models_source` names."""
    source = settings.models_source
    location = urlsplit(source)
    if location.scheme == "file":
        return CatalogWatch(WatchedFile(Path(unquote(location.path))), source, log)
    environment, profile = location.path.strip("/").split("/")
    document = AppConfigProfile(
        http,
        credentials,
        application=location.netloc,
        environment=environment,
        profile=profile,
        region=settings.region,
        endpoint_url=settings.appconfig_endpoint_url,
    )
    return CatalogWatch(document, source, log)


def parse_catalog(content: bytes, source: str) -> Catalog:
    """Validate a catalog's JSON; raises CatalogError with every problem."""
    try:
        return Catalog.model_validate_json(content)
    except ValidationError as error:
        problems = [text for detail in errors_of(error) for text in _problems(detail)]
        raise CatalogError(source, problems) from None


def _problems(detail: ErrorDetails) -> Iterable[str]:
    if detail["type"] == "broken_rule":
        return [str(breach) for breach in detail["ctx"]["breaches"]]
    return [f"{'.'.join(map(str, detail['loc'])) or 'the document'}: {detail['msg']}"]
