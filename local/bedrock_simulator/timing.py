"""How long the simulated models take, and the clock that quotas are counted by."""

import math
import random
import time
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Constant(_Frozen):
    """Always the same."""

    kind: Literal["constant"] = "constant"
    milliseconds: Annotated[float, Field(ge=0)]

    def sample_seconds(self, _rng: random.Random) -> float:
        """A duration in seconds."""
        return self.milliseconds / 1000


class Uniform(_Frozen):
    """Any duration between two, each as likely."""

    kind: Literal["uniform"] = "uniform"
    low_milliseconds: Annotated[float, Field(ge=0)]
    high_milliseconds: Annotated[float, Field(ge=0)]

    def sample_seconds(self, rng: random.Random) -> float:
        """A duration in seconds."""
        return rng.uniform(self.low_milliseconds, self.high_milliseconds) / 1000


class Lognormal(_Frozen):
    """Mostly near the median with a long tail; `sigma` is the deviation of the logarithm."""

    kind: Literal["lognormal"] = "lognormal"
    median_milliseconds: Annotated[float, Field(gt=0)]
    sigma: Annotated[float, Field(ge=0)]

    def sample_seconds(self, rng: random.Random) -> float:
        """A duration in seconds."""
        return rng.lognormvariate(math.log(self.median_milliseconds), self.sigma) / 1000


class Timing(_Frozen):
    """A model's pace: the time to its first token, and tokens per second after it (None: at once)."""

    first_token: Annotated[Constant | Uniform | Lognormal, Field(discriminator="kind")] = Constant(
        milliseconds=0
    )
    tokens_per_second: Annotated[float | None, Field(gt=0)] = None

    @property
    def seconds_per_token(self) -> float:
        """Seconds between two tokens."""
        return 1 / self.tokens_per_second if self.tokens_per_second else 0.0


class Clock:
    """Wall-clock time that tests can move forward."""

    def __init__(self) -> None:
        self._offset_seconds = 0.0

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time() + self._offset_seconds

    def advance(self, seconds: float) -> None:
        """Let this much time pass at once."""
        self._offset_seconds += seconds
