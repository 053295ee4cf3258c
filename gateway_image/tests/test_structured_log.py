import io
import json
import logging
from datetime import datetime

from gateway.structured_log import StructuredLog


class Broken:
    def write(self, line: bytes, /) -> None:
        raise BrokenPipeError


def test_a_line() -> None:
    output = io.BytesIO()
    StructuredLog(output, "info").write("warning", "thing", name="änne", absent=None, zero=0)
    line = json.loads(output.getvalue())
    assert output.getvalue().endswith(b"}\n")
    assert datetime.fromisoformat(line.pop("time")).tzinfo is not None
    assert line == {"level": "warning", "event": "thing", "name": "änne", "zero": 0}


def test_levels_below_the_threshold_are_left_out() -> None:
    output = io.BytesIO()
    log = StructuredLog(output, "warning")
    log.write("info", "quiet")
    log.write("error", "loud")
    assert [json.loads(line)["event"] for line in output.getvalue().splitlines()] == ["loud"]


def test_what_libraries_log_becomes_lines_too() -> None:
    output = io.BytesIO()
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        StructuredLog(output, "info").take_standard_logging()
        logging.getLogger("library").warning("careful with %s", "this")
        logging.getLogger("library").info("chatter")
        try:
            raise ValueError("a prompt")
        except ValueError:
            logging.getLogger("library").exception("failed")
    finally:
        logging.captureWarnings(False)
        root.handlers[:] = handlers
        root.setLevel(level)
    first, second = map(json.loads, output.getvalue().splitlines())
    assert (first["level"], first["logger"], first["message"]) == ("warning", "library", "careful with this")
    assert (second["level"], second["exception"]) == ("error", "ValueError")
    assert b"a prompt" not in output.getvalue()


def test_a_log_that_nobody_reads_does_not_disturb() -> None:
    StructuredLog(Broken(), "info").write("info", "thing")
