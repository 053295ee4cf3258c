"""A simulated cluster, and Kubernetes' own kind of client of it."""

import base64
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from lightkube import Client, KubeConfig

from local.kubernetes.cluster import Cluster
from local.kubernetes.server import ApiServer, serve

TOKEN = "token-of-a-caller"


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


@pytest.fixture
def server(cluster: Cluster) -> Iterator[ApiServer]:
    with serve(cluster, lambda authorization: authorization == f"Bearer {TOKEN}") as server:
        yield server


@pytest.fixture
def client(server: ApiServer) -> Iterator[Client]:
    """lightkube, which finds the cluster as kubectl does."""
    with connected(server, TOKEN) as client:
        yield client


@contextmanager
def connected(server: ApiServer, token: str) -> Iterator[Client]:
    """A client with a token."""
    authority = base64.b64encode(server.authority.encode()).decode()
    configuration = KubeConfig.from_dict(
        {
            "current-context": "cluster",
            "clusters": [
                {
                    "name": "cluster",
                    "cluster": {"server": server.endpoint, "certificate-authority-data": authority},
                }
            ],
            "users": [{"name": "caller", "user": {"token": token}}],
            "contexts": [{"name": "cluster", "context": {"cluster": "cluster", "user": "caller"}}],
        }
    )
    with Client(configuration, namespace="gatehouse", field_manager="gatehouse", trust_env=False) as client:
        yield client
