"""Where the model catalog comes from: a JSON file or AWS AppConfig."""

import asyncio
from pathlib import Path
from urllib.parse import unquote, urlsplit

import msgspec
from pydantic import ValidationError

from gateway.aws.credentials import CredentialsError, CredentialSource
from gateway.aws.signature import encode_query, sign
from gateway.catalog import Catalog
from gateway.http_client import HttpClient, HttpError, HttpResponse
from gateway.settings import Settings

_CONNECT_SECONDS = 3
_FETCH_SECONDS = 10


class CatalogError(Exception):
    """The model catalog cannot be loaded; the message gives every reason."""


async def load_catalog(settings: Settings, http: HttpClient, credentials: CredentialSource) -> Catalog:
    """Load the catalog from `settings.models_source`; raises CatalogError."""
    source = settings.models_source
    if source.startswith("file://"):
        document = await asyncio.to_thread(_read_file, Path(unquote(urlsplit(source).path)))
    else:
        try:
            async with asyncio.timeout(_FETCH_SECONDS):
                document = await _fetch_from_appconfig(settings, http, credentials)
        except TimeoutError:
            raise CatalogError(f"{source}: AppConfig gave no answer within {_FETCH_SECONDS} s") from None
        except (HttpError, CredentialsError) as error:
            raise CatalogError(f"{source}: {error}") from error
    return parse_catalog(document, source)


def parse_catalog(document: bytes, source: str) -> Catalog:
    """Validate a catalog's JSON; raises CatalogError with one line per problem."""
    try:
        return Catalog.model_validate_json(document)
    except ValidationError as error:
        problems = [
            f"{source}: {'.'.join(map(str, detail['loc'])) or 'the document'}: {detail['msg']}"
            for detail in error.errors(include_url=False)
        ]
        raise CatalogError("\n".join(problems)) from None


def _read_file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CatalogError(f"the model catalog {path} cannot be read: {error.strerror}") from None


class _Session(msgspec.Struct):
    token: str = msgspec.field(name="InitialConfigurationToken")


async def _fetch_from_appconfig(settings: Settings, http: HttpClient, credentials: CredentialSource) -> bytes:
    """One configuration session: AppConfig hands the latest deployed document to whoever opens one."""
    location = urlsplit(settings.models_source)
    environment, profile = location.path.strip("/").split("/")
    session = await _call(
        settings,
        http,
        credentials,
        method="POST",
        path="/configurationsessions",
        body=msgspec.json.encode(
            {
                "ApplicationIdentifier": location.netloc,
                "EnvironmentIdentifier": environment,
                "ConfigurationProfileIdentifier": profile,
            }
        ),
    )
    try:
        token = msgspec.json.decode(session.body, type=_Session).token
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise CatalogError(f"{settings.models_source}: AppConfig opened no session: {error}") from None
    latest = await _call(
        settings,
        http,
        credentials,
        method="GET",
        path="/configuration",
        query=encode_query({"configuration_token": token}),
    )
    return latest.body


async def _call(
    settings: Settings,
    http: HttpClient,
    credentials: CredentialSource,
    *,
    method: str,
    path: str,
    query: str = "",
    body: bytes = b"",
) -> HttpResponse:
    endpoint = settings.appconfig_endpoint_url or f"https://appconfigdata.{settings.region}.amazonaws.com"
    headers = {"content-type": "application/json"} if body else {}
    headers |= sign(
        credentials.current(),
        service="appconfig",
        region=settings.region,
        method=method,
        host=urlsplit(endpoint).netloc,
        path=path,
        query=query,
        headers=headers,
        body=body,
    )
    url = f"{endpoint.rstrip('/')}{path}{'?' if query else ''}{query}"
    response = await http.send(method, url, headers=headers, body=body, connect_seconds=_CONNECT_SECONDS)
    if response.status not in {200, 201}:
        reason = response.body[:500].decode(errors="replace")
        raise CatalogError(
            f"{settings.models_source}: AppConfig answered {method} {path} with {response.status}: {reason}"
        )
    return response
