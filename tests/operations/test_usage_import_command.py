"""gatehouse usage import: lines of a log in requests that the admin API takes."""

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.admin.invalid import BODY_LIMIT_BYTES
from gateway.admin.usage_import import ImportedUsage, LogLines
from gateway.ledger import SPILLED_EVENT
from operations import usage_import
from tests.operations.conftest import ADMIN_KEY, AdminStandIn, Asked, Reply, Run


def _told(**counts: Any) -> dict[str, Any]:
    return {"written": 0, "known": 0, "too_old": 0, "refused": [], "unreadable": []} | counts


def _line(text: str = "") -> str:
    return f'{{"event":"usage_spilled","row":{{"id":"{text}"}}}}'


def _sent(asked: Asked) -> list[str]:
    lines: list[str] = asked.body["lines"]
    return lines


def test_a_log_is_imported_and_told(admin: AdminStandIn, run: Run, tmp_path: Path) -> None:
    log = tmp_path / "gateway.log"
    log.write_bytes(b'{"event":"request"}\n' + _line("Zo\u00eb").encode() + b"\n\xff" + _line("b").encode())
    admin.on("POST", "/usage/import", _told(written=1, known=1))
    result = run("usage", "import", str(log))
    assert result.exit_code == 0
    rows = [line.rsplit(maxsplit=1) for line in result.stdout.splitlines()]
    assert rows[:3] == [["Rows read", "2"], ["New", "1"], ["Known already", "1"]]
    (asked,) = admin.asked
    assert _sent(asked) == [_line("Zo\u00eb"), "\ufffd" + _line("b")]
    assert set(asked.body) == set(LogLines.model_fields)


def test_nothing_to_import_asks_nothing(admin: AdminStandIn, run: Run) -> None:
    result = run("usage", "import", "-", "--json", input='{"event":"request"}\n\n')
    assert result.exit_code == 0
    assert json.loads(result.stdout)["rows"] == 0
    assert admin.asked == []


def test_requests_hold_no_more_than_the_admin_api_takes(admin: AdminStandIn, run: Run) -> None:
    lines = [_line('\u20ac\\"' * size) for size in (1, 20_000, 1, 30_000, 5, 60_000, 100_000, 2)]
    lines += [_line()] * 2500
    admin.on("POST", "/usage/import", _told())
    result = run("usage", "import", "-", "--json", input="\n".join(lines))
    assert max(int(asked.headers["content-length"]) for asked in admin.asked) <= BODY_LIMIT_BYTES
    sent = [line for asked in admin.asked for line in _sent(asked)]
    too_long = [number for number, line in enumerate(lines, start=1) if line not in sent]
    assert sent == [line for line in lines if line in sent]
    assert 7 in too_long
    assert result.exit_code == 1
    assert json.loads(result.stdout)["unreadable"] == too_long


def test_lines_that_fail_are_named_by_their_number_in_the_file(
    admin: AdminStandIn, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(usage_import, "_BATCH_LINES", 2)
    admin.on(
        "POST",
        "/usage/import",
        _told(written=1, unreadable=[2]),
        _told(written=1, too_old=1),
        _told(refused=[1]),
    )
    text = "\n".join([_line(), "something else", *[_line()] * 4])
    result = run("usage", "import", "-", "--json", input=text)
    assert json.loads(result.stdout) == {
        "rows": 5,
        "written": 2,
        "known": 0,
        "too_old": 1,
        "refused": [6],
        "unreadable": [3],
    }
    assert result.exit_code == 1
    assert "2 lines hold rows that cannot be imported: 3, 6" in result.stderr


def test_a_lost_answer_is_asked_for_again(admin: AdminStandIn, run: Run) -> None:
    admin.on("POST", "/usage/import", Reply(lost=True), _told(known=1))
    result = run("usage", "import", "-", "--json", input=_line())
    assert (result.exit_code, json.loads(result.stdout)["known"]) == (0, 1)
    assert len(admin.asked) == 2


def test_the_key_and_the_log_do_not_come_by_one_way(admin: AdminStandIn, run: Run) -> None:
    result = run("usage", "import", "-", "--key-file", "-", input=ADMIN_KEY, GATEHOUSE_KEY=None)
    assert result.exit_code == 2
    assert "cannot both come from stdin" in result.stderr
    assert admin.asked == []


def test_names_are_those_of_the_gateway() -> None:
    assert SPILLED_EVENT == usage_import._EVENT
    assert set(_told()) == set(ImportedUsage.model_fields)
