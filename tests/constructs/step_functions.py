"""A plan's functions as Region switch calls them: with nothing that they need, until they succeed."""

from collections.abc import Mapping
from typing import Any

import boto3
import pytest

from gatehouse.functions import waiting
from tests.constructs.custom_resources import Clock, Context

REGION = "us-west-2"


class Step:
    """A function, with a clock and AWS clients of the test's.

    clients: what stands in AWS's place, by service, or by service and region; another is a KeyError.
    """

    def __init__(self, module: Any, variables: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
        self._module = module
        self.clock = Clock()
        self.clients: dict[str, Any] = {}
        monkeypatch.setattr(waiting, "sleep", self.clock.sleep)
        monkeypatch.setattr(boto3, "client", self._client)
        for name, value in {"AWS_REGION": REGION, **variables}.items():
            monkeypatch.setenv(name, value)

    def run(self) -> Any:
        """Call it once; what it is called with is Region switch's own and means nothing here."""
        return self._module.on_event({"anything": "at all"}, Context(self.clock))

    def _client(self, service: str, region_name: str | None = None, config: Any = None) -> Any:
        assert config is not None, "without limits a lost region would be waited for"
        return self.clients[service if region_name is None else f"{service} {region_name}"]
