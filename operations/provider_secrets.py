"""The secrets that hold the keys of a catalog's providers; no value is ever read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from gatehouse import names
from gateway.catalog import Catalog, OpenAICompatibleDeployment
from operations.aws import CONFIG, code_of, refuse
from operations.errors import RefusedError, WrongUsageError
from operations.values import written
from stacks.config.model import Environment


@dataclass(frozen=True)
class ProviderSecret:
    """A secret, the deployments that use it, and when it was made and got its key; None if it has none."""

    secret_id: str
    deployments: tuple[str, ...]
    created_at: datetime | None = None
    changed_at: datetime | None = None

    def facts(self) -> dict[str, Any]:
        """What is told to programs."""
        return {
            "secret": self.secret_id,
            "deployments": list(self.deployments),
            "created_at": written(self.created_at) if self.created_at else None,
            "changed_at": written(self.changed_at) if self.changed_at else None,
        }


class ProviderSecrets:
    """The secrets that a catalog names, with the AWS credentials of this shell."""

    def __init__(self, config: Environment, catalog: Catalog) -> None:
        self._config = config
        self._session = boto3.Session()
        self._users: dict[str, list[str]] = {}
        for model in catalog.models:
            for deployment in model.deployments:
                if isinstance(deployment, OpenAICompatibleDeployment) and deployment.api_key_secret:
                    self._users.setdefault(deployment.api_key_secret, []).append(deployment.name)

    def named(self, name: str) -> str:
        """The secret that the catalog calls so, or whose last part this is; raises WrongUsageError."""
        found = [each for each in self._users if name in (each, each.rpartition("/")[2])]
        if len(found) != 1:
            known = ", ".join(self._users) or "none"
            problem = (
                f"several secrets end with {name!r}" if found else f"no deployment has its key in {name!r}"
            )
            raise WrongUsageError(f"{problem}; in the catalog of {self._config.name} are: {known}")
        return found[0]

    def deployments(self, secret_id: str) -> list[str]:
        """The deployments whose key is in a secret."""
        return self._users[secret_id]

    def all(self) -> list[ProviderSecret]:
        """Every secret, in the catalog's order; raises WrongUsageError, RefusedError, UnreachableError."""
        if self._users:
            self._check_account()
        return [self._described(secret_id) for secret_id in self._users]

    def put(self, secret_id: str, key: str) -> str:
        """Store a key, in a new secret where there is none; says which it did.

        Raises WrongUsageError, RefusedError, UnreachableError.
        """
        self._check_account()
        client = self._client(secret_id)
        is_new = not self._exists(client, secret_id)
        try:
            if is_new:
                self._create(client, secret_id)
            # Before the key is there, so that there is no moment in which others could read it.
            self._restrict(client, secret_id)
            client.put_secret_value(SecretId=secret_id, SecretString=key)
            # After it is there, so that a standby that does not answer keeps no key from the gateways.
            self._copy(client, secret_id)
        except (BotoCoreError, ClientError) as error:
            refuse(error)
        return "stored in a new secret" if is_new else "replaced"

    def _exists(self, client: Any, secret_id: str) -> bool:
        try:
            client.describe_secret(SecretId=secret_id)
        except (BotoCoreError, ClientError) as error:
            if code_of(error) != "ResourceNotFoundException":
                refuse(error)
            return False
        return True

    def _create(self, client: Any, secret_id: str) -> None:
        if secret_id.startswith("arn:"):
            raise RefusedError(f"there is no secret {secret_id}, and none can be made by its ARN")
        client.create_secret(
            Name=secret_id,
            Description="API key of a model provider, for Gatehouse",
            KmsKeyId=names.data_key_alias(self._config.name),
            Tags=[
                {"Key": "project", "Value": "gatehouse"},
                {"Key": "environment", "Value": self._config.name},
            ],
        )

    def _restrict(self, client: Any, secret_id: str) -> None:
        """Give a secret its policy, or that of two regions in place of one's; another's policy stays."""
        given = client.get_resource_policy(SecretId=secret_id).get("ResourcePolicy")
        policy = self._policy(self._config.regions)
        if given is None or policy != json.loads(given) == self._policy(self._config.regions[:1]):
            client.put_resource_policy(
                SecretId=secret_id, ResourcePolicy=json.dumps(policy), BlockPublicPolicy=True
            )

    def _copy(self, client: Any, secret_id: str) -> None:
        """Have a secret of the environment's region copied to its standby's, with all that it gets later."""
        standby = self._config.standby_region
        if standby is None or client.meta.region_name != self._config.region:
            return
        copies = client.describe_secret(SecretId=secret_id).get("ReplicationStatus", ())
        if standby not in {copy["Region"] for copy in copies}:
            key = names.data_key_alias(self._config.name)
            client.replicate_secret_to_regions(
                SecretId=secret_id, AddReplicaRegions=[{"Region": standby, "KmsKeyId": key}]
            )

    def _policy(self, regions: Sequence[str]) -> dict[str, Any]:
        """Nobody but the gateways of these regions reads the key, whatever their own policies allow."""
        partition = self._session.get_partition_for_region(self._config.region)
        roles = [names.task_role(self._config.name, region) for region in regions]
        gateways = [f"arn:{partition}:iam::{self._config.account}:role/{role}" for role in roles]
        return {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Deny",
                    "Principal": "*",
                    "Action": ["secretsmanager:GetSecretValue", "secretsmanager:BatchGetSecretValue"],
                    "Resource": "*",
                    "Condition": {
                        "ArnNotEquals": {"aws:PrincipalArn": gateways if len(gateways) > 1 else gateways[0]}
                    },
                }
            ],
        }

    def _described(self, secret_id: str) -> ProviderSecret:
        users = tuple(self._users[secret_id])
        client = self._client(secret_id)
        try:
            created_at = client.describe_secret(SecretId=secret_id)["CreatedDate"]
            # A secret's own date of change is also that of its tags and its policy.
            versions = client.list_secret_version_ids(SecretId=secret_id)["Versions"]
        except (BotoCoreError, ClientError) as error:
            if code_of(error) != "ResourceNotFoundException":
                refuse(error)
            return ProviderSecret(secret_id, users)
        current = (v["CreatedDate"] for v in versions if "AWSCURRENT" in v.get("VersionStages", ()))
        return ProviderSecret(secret_id, users, created_at, next(current, None))

    def _check_account(self) -> None:
        """Another account has other secrets of the same names."""
        sts = self._session.client("sts", region_name=self._config.region, config=CONFIG)
        try:
            account = sts.get_caller_identity()["Account"]
        except (BotoCoreError, ClientError) as error:
            refuse(error)
        if account != self._config.account:
            raise WrongUsageError(
                f"the AWS credentials are of account {account}; allowed: {self._config.account}, the account "
                f"of {self._config.name}"
            )

    def _client(self, secret_id: str) -> Any:
        region = secret_id.split(":")[3] if secret_id.startswith("arn:") else self._config.region
        return self._session.client("secretsmanager", region_name=region, config=CONFIG)
