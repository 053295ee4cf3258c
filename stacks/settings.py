"""What the environment's stacks tell the programs of the gateway's image."""

import json

from gatehouse import key_hashing_secret
from gatehouse.container_settings import (
    MIGRATIONS,
    ContainerSettings,
    SecretValue,
    container_settings,
)
from gatehouse.model_configuration import ModelConfiguration
from stacks.config.model import Environment
from stacks.config.model_places import external_id
from stacks.data import DataStack
from stacks.identity import IdentityStack

# Whom the gateway signs in to the database as; the migrations create it.
SERVING_USER = "gateway"
# The load balancer appends the caller's address to X-Forwarded-For, and nothing stands before it.
FORWARDED_HOPS = 1
# A process uses one core at most.
_CPU_UNITS_OF_A_CORE = 1024


def gateway_settings(
    config: Environment, data: DataStack, identity: IdentityStack, models: ModelConfiguration
) -> ContainerSettings:
    """The gateway's environment: it signs in to database and cache as its task role, without a password."""
    service, database = config.service, data.database
    return container_settings(
        values={
            "environment": config.name,
            "region": config.region,
            "account_id": config.account,
            "models_source": models.source,
            "role_external_id": external_id(config),
            "bedrock_authentication": service.bedrock_authentication,
            "workers": str(max(1, service.cpu_units // _CPU_UNITS_OF_A_CORE)),
            "cache_host": data.cache.host,
            "cache_port": data.cache.port,
            "cache_authentication": "iam",
            "cache_name": data.cache.name,
            "cache_username": data.cache.username,
            "database_host": database.instance.db_instance_endpoint_address,
            "database_port": database.instance.db_instance_endpoint_port,
            "database_name": database.name,
            "database_username": SERVING_USER,
            "database_authentication": "iam",
            "identity_issuers": json.dumps(identity.issuers, separators=(",", ":")),
            "forwarded_hops": str(FORWARDED_HOPS),
            "known_keys_seconds": str(service.known_keys_minutes * 60),
            "limits_when_cache_is_away": service.limits_when_cache_is_away,
            "usage_retention_months": str(service.usage_retention_months),
            "image_url_hosts": json.dumps(service.image_url_hosts, separators=(",", ":")),
        },
        secrets={
            "api_keys": SecretValue(data.bootstrap_keys),
            "key_hashing_secret": SecretValue(data.key_hashing_secret, key_hashing_secret.FIELD),
        },
    )


def migration_settings(data: DataStack) -> ContainerSettings:
    """The migrations' environment: they sign in as the database's owner, by their task role."""
    database = data.database
    return container_settings(
        program=MIGRATIONS,
        values={
            "host": database.instance.db_instance_endpoint_address,
            "port": database.instance.db_instance_endpoint_port,
            "name": database.name,
            "username": database.owner,
            "authentication": "iam",
            "region": data.region,
            "serving_username": SERVING_USER,
            "serving_authentication": "iam",
        },
        secrets={},
    )
