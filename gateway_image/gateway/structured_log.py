"""The log: one JSON object a line on standard output. Prompts, answers and keys never go into it."""

import logging
import time
import traceback
from contextlib import suppress
from functools import lru_cache
from typing import Any, Literal, Protocol

import msgspec


class Stream(Protocol):
    """Where lines go."""

    def write(self, line: bytes, /) -> object:
        """Write a line at once."""


Level = Literal["debug", "info", "warning", "error"]
_SEVERITY: dict[Level, int] = {"debug": 10, "info": 20, "warning": 30, "error": 40}
_ENCODER = msgspec.json.Encoder()


class StructuredLog:
    """Writes events, at and above a level, to a stream that does not buffer."""

    def __init__(self, stream: Stream, level: Level) -> None:
        self._stream = stream
        self._threshold = _SEVERITY[level]

    def write(self, level: Level, event: str, **fields: Any) -> None:
        """Write one line: time, level, event and those fields that are not None."""
        if _SEVERITY[level] < self._threshold:
            return
        line = {"time": _timestamp(time.time()), "level": level, "event": event}
        line.update((name, value) for name, value in fields.items() if value is not None)
        # A log that nobody takes any more must not end requests.
        with suppress(OSError):
            self._stream.write(_ENCODER.encode(line) + b"\n")

    def write_record(self, level: Level, event: str, record: msgspec.Struct) -> None:
        """Write one line as `write` does, of the fields that are not their defaults, which is quicker.

        record: has fields, and omits defaults.
        """
        if _SEVERITY[level] < self._threshold:
            return
        begin = f'{{"time":"{_timestamp(time.time())}","level":"{level}","event":"{event}",'
        with suppress(OSError):
            self._stream.write(begin.encode() + _ENCODER.encode(record)[1:] + b"\n")

    def write_exception(self, event: str, error: BaseException, **fields: Any) -> None:
        """Write an error's type and where it was raised; its message may quote a prompt and is left out."""
        frames = traceback.extract_tb(error.__traceback__)
        stack = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
        self.write("error", event, exception=type(error).__qualname__, stack=stack, **fields)

    def take_standard_logging(self) -> None:
        """Write what libraries log through `logging` here too, from warnings on."""
        logging.basicConfig(level=logging.WARNING, handlers=[_Handler(self)], force=True)
        logging.captureWarnings(True)


class _Handler(logging.Handler):
    def __init__(self, log: StructuredLog) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info and record.exc_info[1]:
            self._log.write_exception("log", record.exc_info[1], logger=record.name)
            return
        level: Level = "error" if record.levelno >= logging.ERROR else "warning"
        self._log.write(level, "log", logger=record.name, message=record.getMessage())


def _timestamp(seconds: float) -> str:
    whole, milliseconds = divmod(int(seconds * 1000), 1000)
    return f"{_second(whole)}.{milliseconds:03d}Z"


@lru_cache(maxsize=2)
def _second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
