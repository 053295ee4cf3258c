"""Credentials of the roles that deployments name, which belong to other accounts with quotas of their own.

A role is assumed before the first request that needs it and again ahead of the session's end, so that no
request waits for AWS STS. A role that cannot be assumed fails its own deployments and no others.
"""

import asyncio
import logging
import math
import random
import re
import time
from contextlib import suppress

from gateway.aws.credentials import Credentials, CredentialsError, CredentialSource
from gateway.aws.security_token_service import SecurityTokenService, UnavailableError
from gateway.catalog import BedrockDeployment, Catalog, SageMakerDeployment
from gateway.http_client import HttpClient
from gateway.retry import with_retries
from gateway.settings import Settings

_LOG = logging.getLogger(__name__)

_REFRESH_AHEAD_SECONDS = 15 * 60
_RETRY_SECONDS = 10
_CHECK_SECONDS = 5
_PREPARE_SECONDS = 10


class CredentialsByRole:
    """The credentials to call a deployment with: of the role it names, or this process's own."""

    def __init__(self, own_credentials: CredentialSource, sts: SecurityTokenService) -> None:
        self._own_credentials = own_credentials
        self._sts = sts
        self._roles: dict[str, _AssumedRole] = {}

    def current(self, role_arn: str | None) -> Credentials:
        """Return usable credentials at once; raises CredentialsError if there are none."""
        if role_arn is None:
            return self._own_credentials.current()
        role = self._roles.get(role_arn)
        if role is None:
            raise CredentialsError(f"{role_arn} has not been assumed")
        return role.current()

    async def prepare_for(self, catalog: Catalog) -> None:
        """Assume the roles that the catalog names and that have no valid session.

        What does not succeed within seconds is logged and left to `keep_fresh`. Roles that the catalog no
        longer names stay usable for running requests until their sessions end.
        """
        named = _named_roles(catalog)
        kept = {arn: role for arn, role in self._roles.items() if arn in named or role.is_usable()}
        new = {arn: _AssumedRole(arn, self._sts) for arn in sorted(named - kept.keys())}
        self._roles = kept | new
        for arn, role in self._roles.items():
            role.is_named = arn in named
        missing = [role for role in self._roles.values() if not role.is_usable()]
        with suppress(TimeoutError):
            async with asyncio.timeout(_PREPARE_SECONDS):
                await asyncio.gather(*(role.refresh() for role in missing))

    async def keep_fresh(self) -> None:
        """Assume roles anew ahead of the end of their sessions, until cancelled."""
        while True:
            await asyncio.sleep(_CHECK_SECONDS)
            await asyncio.gather(*(role.refresh() for role in self._roles.values() if role.is_due()))


def credentials_by_role(
    settings: Settings, http: HttpClient, own_credentials: CredentialSource
) -> CredentialsByRole:
    """The credentials of one gateway process; its sessions carry the environment's name and tags."""
    sts = SecurityTokenService(
        http,
        own_credentials,
        region=settings.region,
        endpoint_url=settings.sts_endpoint_url,
        session_name=re.sub(r"[^\w+=,.@-]", "-", f"gatehouse-{settings.environment}", flags=re.ASCII)[:64],
        external_id=settings.role_external_id,
        # The tags of the platform's stacks, so that cost reports add up by the same keys.
        tags={"project": "gatehouse", "environment": settings.environment},
    )
    return CredentialsByRole(own_credentials, sts)


def _named_roles(catalog: Catalog) -> set[str]:
    return {
        deployment.role_arn
        for model in catalog.models
        for deployment in model.deployments
        if isinstance(deployment, BedrockDeployment | SageMakerDeployment) and deployment.role_arn is not None
    }


class _AssumedRole:
    def __init__(self, arn: str, sts: SecurityTokenService) -> None:
        self.is_named = True
        self._arn = arn
        self._sts = sts
        self._credentials: Credentials | None = None
        self._problem = "it has not been assumed yet"
        self._due_at = 0.0

    def current(self) -> Credentials:
        if self._credentials is None or not self.is_usable():
            raise CredentialsError(f"there are no valid credentials of {self._arn}: {self._problem}")
        return self._credentials

    def is_usable(self) -> bool:
        return self._credentials is not None and (self._credentials.expires_at or 0) > time.time()

    def is_due(self) -> bool:
        return self.is_named and time.time() >= self._due_at

    async def refresh(self) -> None:
        """Assume the role; a failure is logged and keeps the old credentials."""
        self._due_at = math.inf  # not twice at the same time
        due_in_seconds: float = _RETRY_SECONDS
        try:
            self._credentials = await with_retries(
                lambda: self._sts.assume_role(self._arn), retry_on=UnavailableError
            )
            left_seconds = (self._credentials.expires_at or 0) - time.time()
            # A session that is shorter than asked for is renewed in its last third.
            due_in_seconds = max(left_seconds - _REFRESH_AHEAD_SECONDS, left_seconds * 2 / 3)
        except CredentialsError as error:
            self._problem = str(error)
            _LOG.warning("%s", error)
        finally:
            # The jitter keeps tasks that started together from asking together.
            self._due_at = time.time() + due_in_seconds * random.uniform(0.9, 1)  # noqa: S311 (no secret)
