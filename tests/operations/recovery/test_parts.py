"""What the recovery commands are made of, one at a time."""

import io
import json
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from botocore.exceptions import ConnectTimeoutError
from rich.console import Console

from gatehouse.recovery.steps import ACTIVATE, each_step, expected_recovery_seconds
from operations.recovery.display import Display
from operations.recovery.execution import Execution, Failure, Past
from operations.recovery.lag import Lag
from operations.recovery.notes import Note, read_note
from operations.recovery.parallel import NoAnswer, ask
from operations.recovery.places import places
from operations.recovery.reach import ANSWER_SECONDS, CONFIG, accepts, health
from operations.recovery.record import report_of
from operations.recovery.report import Objective, Report, StepTime, as_html, as_json, as_markdown
from operations.recovery.situation import Region, Situation
from operations.recovery.steps import upcoming
from operations.recovery.words import duration
from operations.synthesis import ROOT

PRIMARY, STANDBY = "us-east-1", "us-west-2"


@pytest.mark.parametrize(
    "note",
    [
        Note(action="failover"),
        Note(action="failback", behind_seconds=1.5),
        Note(action="drill", drill="20261101T120000Z", behind_seconds=0.0, reason="quarterly: all\nteams"),
        Note(action="protect", drill="20261101T120000Z"),
    ],
)
def test_a_note_can_be_read_again(note: Note) -> None:
    assert read_note(str(note)) == note


@pytest.mark.parametrize("comment", ["", "by hand", "failover please", "drilled"])
def test_what_others_wrote_is_no_note(comment: str) -> None:
    assert read_note(comment) is None


def test_a_question_that_hangs_keeps_no_other_waiting() -> None:
    released = threading.Event()
    answers = ask({"hangs": released.wait, "answers": lambda: 1}, seconds=0.2)
    released.set()
    assert answers == {"hangs": NoAnswer(reason="none within 0 s", is_silence=True), "answers": 1}


def test_what_aws_does_not_answer_is_told_and_mistakes_are_raised() -> None:
    def lost() -> None:
        raise ConnectTimeoutError(endpoint_url="https://rds.us-east-1.amazonaws.com")

    def mistaken() -> None:
        raise ZeroDivisionError

    answer = ask({"lost": lost}, seconds=5)["lost"]
    assert "Connect timeout" in answer.reason
    with pytest.raises(ZeroDivisionError):
        ask({"mistaken": mistaken}, seconds=5)


def test_all_tries_of_a_request_end_before_its_question_does() -> None:
    tries = CONFIG.retries["total_max_attempts"]
    assert tries * (CONFIG.connect_timeout + CONFIG.read_timeout) < ANSWER_SECONDS


class _Gateway(BaseHTTPRequestHandler):
    """Is alive, and knows one key."""

    def do_GET(self) -> None:
        is_known = self.headers.get("authorization") == "Bearer gh_known"
        alive = self.path == "/health/live" or (self.path == "/v1/models" and is_known)
        self.send_response(200 if alive else 401)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        pass


def test_gateways_are_asked_whether_they_live_and_take_a_key() -> None:
    with HTTPServer(("127.0.0.1", 0), _Gateway) as server:
        url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        assert health(url) == "healthy"
        assert health(f"{url}/elsewhere") == "unhealthy"
        assert accepts(url, "gh_known") is None
        assert accepts(url, "gh_unknown") == "HTTP status 401"
        server.shutdown()
        thread.join()
    assert health(url) == "no answer"
    assert accepts(url, "gh_known") == "connection refused"


def _region(name: str, lag: Lag | NoAnswer | None, *executions: Past) -> Region:
    return Region(name=name, gateways="healthy", lag=lag, plan_arn="arn", executions=executions)


def _past(region: str, started: float, state: str = "completed") -> Past:
    return Past(
        id=f"{region}/{started}",
        state=state,
        mode="graceful",
        action="activate",
        region=region,
        comment="",
        started=started,
        ended=None,
    )


LAG = Lag(seconds=1, measured=100, following_seconds=1)
LOST = NoAnswer(reason="lost")


@pytest.mark.parametrize(
    ("primary", "standby", "active"),
    [
        (_region(PRIMARY, None), _region(STANDBY, LAG), PRIMARY),
        (_region(PRIMARY, LAG), _region(STANDBY, None), STANDBY),
        (_region(PRIMARY, LOST), _region(STANDBY, LAG), PRIMARY),
        # Just promoted, and nothing is a replica.
        (_region(PRIMARY, None), _region(STANDBY, None, _past(STANDBY, 1)), STANDBY),
        # It has failed back since, of which the standby knows nothing; its replica tells.
        (_region(PRIMARY, LOST), _region(STANDBY, LAG, _past(STANDBY, 1)), PRIMARY),
        (_region(PRIMARY, None, _past(PRIMARY, 2)), _region(STANDBY, None, _past(STANDBY, 1)), PRIMARY),
        (_region(PRIMARY, None), _region(STANDBY, None, _past(STANDBY, 1, "canceled")), PRIMARY),
        (_region(PRIMARY, None), _region(STANDBY, None), PRIMARY),
    ],
)
def test_the_region_that_serves_is_told_by_the_replica_and_then_by_what_was_done(
    primary: Region, standby: Region, active: str
) -> None:
    situation = Situation(places=places("prod"), regions={PRIMARY: primary, STANDBY: standby})
    assert (situation.active, situation.passive) == (active, situation.places.other(active))


def test_the_steps_that_are_shown_are_those_that_will_run() -> None:
    every = [step.name for step in each_step(ACTIVATE)]
    lossless = [step.name for step in upcoming("activate", forced=False, has_approval=True)]
    assert lossless == every
    forced = {step.name for step in upcoming("activate", forced=True, has_approval=False)}
    assert set(every) - forced == {"approve", "fence-old-region", "await-replica"}


def _step(name: str, started: float, ended: float | None, status: str = "completed") -> StepTime:
    return StepTime(name=name, status=status, started=started, ended=ended)


def _execution(*steps: StepTime, mode: str = "graceful", state: str = "completed") -> Execution:
    return Execution(
        id="us-west-2/0123456789abcdef",
        state=state,
        mode=mode,
        action="activate",
        region=STANDBY,
        started=0.0,
        ended=700.0,
        steps=steps,
        failures={},
    )


WAITED = (_step("fence-old-region", 10, 20), _step("await-replica", 20, 30))


@pytest.mark.parametrize(
    ("execution", "seconds", "lost"),
    [
        (_execution(*WAITED), 700.0, 0.0),
        # Whoever has to approve takes none of the recovery's time.
        (_execution(_step("approve", 0, 100), *WAITED), 600.0, 0.0),
        (_execution(WAITED[0], _step("await-replica", 20, 20, "skipped")), 700.0, 4.0),
        (_execution(WAITED[0], replace(WAITED[1], mode="ungraceful")), 700.0, 4.0),
        (_execution(*WAITED, mode="ungraceful"), 700.0, 4.0),
        (_execution(*WAITED, state="canceled"), None, 0.0),
        # All is served, and Region switch goes on to watch the alarms.
        (replace(_execution(*WAITED, state="completedMonitoringApplicationHealth"), ended=None), 30.0, 0.0),
    ],
)
def test_objectives_are_measured_by_what_was_done(
    execution: Execution, seconds: float | None, lost: float
) -> None:
    report = report_of(places("prod"), execution, Note(action="failover", behind_seconds=4.0))
    assert (report.recovery_time.measured, report.recovery_point.measured) == (seconds, lost)


def _report(**changes: object) -> Report:
    fields: dict[str, object] = {
        "environment": "prod",
        "action": "failover",
        "from_region": PRIMARY,
        "to_region": STANDBY,
        "mode": "forced",
        "execution_id": "us-west-2/0123456789abcdef",
        "outcome": "completed",
        "started": 0.0,
        "ended": 700.0,
        "recovery_time": Objective(allowed=900, measured=700),
        "recovery_point": Objective(allowed=30, measured=42.5),
        "steps": [_step("move-traffic", 1, 40), _step("verify", 640, None, "running")],
        "reason": "<us-east-1> is gone",
        "measures": {"a|b": "c"},
    }
    return Report(**{**fields, **changes})  # type: ignore[arg-type]


def test_a_report_is_written_for_machines_tickets_and_people() -> None:
    report = _report()
    assert json.loads(as_json(report))["recovery_point"] == {"allowed": 30, "measured": 42.5}
    markdown = as_markdown(report)
    assert "| Recovery time | 15 min | 11 min 40 s | met |" in markdown
    assert "| Recovery point | 30 s | 42.5 s | missed |" in markdown
    assert "| move-traffic | completed | 1 s | 39 s | 1 min |" in markdown
    assert "| a\\|b | c |" in markdown
    page = as_html(report)
    assert "&lt;us-east-1&gt; is gone" in page
    assert page.count("<rect") == 2
    assert "http" not in page


def test_a_report_without_steps_has_no_time_line() -> None:
    assert "<svg" not in as_html(_report(steps=()))


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(None, "–"), (0.0, "0 s"), (4.25, "4.2 s"), (59.96, "60 s"), (60.0, "1 min"), (7500.0, "2 h 5 min")],
)
def test_durations_are_told_in_two_units_at_most(seconds: float | None, told: str) -> None:
    assert duration(seconds) == told


def _shown(*executions: Execution, terminal: bool) -> str:
    console = Console(file=io.StringIO(), force_terminal=terminal, width=100, color_system=None)
    display = Display(objective_seconds=900, again="gatehouse failover", console=console)
    with display.shown():
        for execution in executions:
            display.show(execution)
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


FAILED = Execution(
    id="us-west-2/0123456789abcdef",
    state="pausedByFailedStep",
    mode="graceful",
    action="activate",
    region=STANDBY,
    started=0.0,
    ended=None,
    steps=[
        StepTime(name="verify", status="failed", started=1.0, ended=None, error="\x1b[2Jit cannot write"),
        _step("prepare", 0, 1),
        _step("scale-gateways", 0, 1),
    ],
    failures={"verify": Failure(event="1", error="it cannot write")},
)


def test_on_a_terminal_every_step_is_drawn_with_what_it_does_or_what_is_wrong() -> None:
    drawn = _shown(FAILED, terminal=True)
    assert "it cannot write" in drawn
    assert "\x1b[2J" not in drawn
    assert "3 steps at the same time" in drawn
    assert "✓    scale-gateways" in drawn
    assert "paused: a step failed" in drawn


def test_elsewhere_each_change_is_a_line() -> None:
    lines = _shown(FAILED, FAILED, terminal=False).splitlines()
    assert sum("verify failed: " in line for line in lines) == 1
    assert sum("the plan is paused: a step failed" in line for line in lines) == 1


def test_the_runbook_shows_the_plan_as_the_command_does() -> None:
    runbook = (ROOT / "docs/recovery.md").read_text(encoding="utf-8")
    for step in upcoming("activate", forced=True, has_approval=False):
        assert f"\n  {step.name:<18} {duration(step.expected_seconds):>8}  {step.does}\n" in runbook
    for forced in (False, True):
        assert duration(expected_recovery_seconds(forced=forced)) in runbook
