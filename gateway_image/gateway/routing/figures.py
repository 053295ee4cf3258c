"""What this process measures of a deployment."""

from dataclasses import dataclass, field

_NEWEST_SHARE = 0.1
_FRESH_SECONDS = 300.0


@dataclass(slots=True)
class Figure:
    """An average in which older samples count exponentially less."""

    _value: float | None = None
    _noted_at: float = 0.0

    def note(self, sample: float, now: float) -> None:
        """Take in a sample."""
        value = self.current(now)
        self._value = sample if value is None else value + _NEWEST_SHARE * (sample - value)
        self._noted_at = now

    def note_at_least(self, sample: float, now: float) -> None:
        """Take in that a measurement was given up when it had come to `sample`."""
        value = self.current(now)
        if value is None or sample > value:
            self.note(sample, now)

    def current(self, now: float) -> float | None:
        """The average, None if there is no sample of the last five minutes."""
        # What was slow once would otherwise be avoided for good, as only requests bring new samples.
        return self._value if now - self._noted_at <= _FRESH_SECONDS else None


@dataclass(slots=True)
class Figures:
    """latency and time_to_first_token in seconds, error_rate from 0 to 1."""

    latency: Figure = field(default_factory=Figure)
    time_to_first_token: Figure = field(default_factory=Figure)
    error_rate: Figure = field(default_factory=Figure)
