"""Alarms on metrics in Amazon CloudWatch that end a deployment."""

import json
from collections.abc import Sequence
from time import monotonic, sleep
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

POLL_SECONDS = 5.0
# How long CloudWatch may refuse to tell: a role's policies take effect some time after their creation.
BLIND_SECONDS = 120.0


class AlarmError(Exception):
    """An alarm went off in the course of a deployment."""


class Alarms:
    """Alarms as they were when a deployment began.

    One that was on then is not watched: it tells nothing of this deployment, which may be its remedy.
    """

    def __init__(self, cloudwatch: Any, names: Sequence[str]) -> None:
        self._cloudwatch = cloudwatch
        self._names = list(names)
        self._next_look = 0.0
        self._seen_at = monotonic()
        while (on := self._on()) is None:
            sleep(POLL_SECONDS)
        self.on_before = on

    def check(self) -> None:
        """Raise AlarmError if one has gone off; asks CloudWatch every POLL_SECONDS at most."""
        if monotonic() < self._next_look:
            return
        self._next_look = monotonic() + POLL_SECONDS
        if news := (self._on() or set()) - self.on_before:
            raise AlarmError(f"went off during the deployment: {', '.join(sorted(news))}")

    def watch(self, until: float) -> None:
        """Go on checking until a monotonic time."""
        self.check()
        while monotonic() < until:
            sleep(POLL_SECONDS)
            self.check()

    def _on(self) -> set[str] | None:
        """The names of those that are on; None when CloudWatch does not tell, which may pass."""
        try:
            found = self._cloudwatch.describe_alarms(
                AlarmNames=self._names, AlarmTypes=["MetricAlarm"], StateValue="ALARM"
            )
        except (BotoCoreError, ClientError) as error:
            if monotonic() > self._seen_at + BLIND_SECONDS:
                raise
            print(json.dumps({"problem": f"{type(error).__name__}: {error}"}))
            return None
        self._seen_at = monotonic()
        return {alarm["AlarmName"] for alarm in found["MetricAlarms"]}
