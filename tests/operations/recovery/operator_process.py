"""`gatehouse` on another machine: only Region switch is there, and nothing else is wrong."""

import datetime
from typing import Any
from unittest.mock import patch

import boto3

from operations.__main__ import main
from operations.recovery.reach import Aws
from tests.operations.recovery.world import ACCOUNT


class Asking:
    """A client of boto3 that sends nothing but requests for Region switch."""

    def __init__(self, service: str, region: str) -> None:
        self._client = boto3.client(service, region_name=region)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def get_caller_identity(self) -> dict[str, Any]:
        return {"Account": ACCOUNT}

    def get_metric_data(self, **_: Any) -> dict[str, Any]:
        now = datetime.datetime.now(datetime.UTC)
        return {"MetricDataResults": [{"Timestamps": [now], "Values": [1.0]}]}


if __name__ == "__main__":
    with (
        patch.object(Aws, "client", lambda _, service, region: Asking(service, region)),
        patch("operations.recovery.situation.health", lambda _: "healthy"),
    ):
        main()
