"""What the steps may contain, and what the image that runs them lacks."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory

from gateway.database.schema import NEEDED_REVISION
from gateway.migrations.upgrade import configuration

FIRST_RELEASE = "0002"
# Release by release: what a step takes away, and which earlier release stopped using it.
# {"0009": "projects.description: unused since 1.4.0"}
ALLOWED: dict[str, str] = {}
FORBIDDEN = re.compile(
    r"\bDROP\s+(TABLE|COLUMN|FUNCTION|INDEX|SCHEMA|TYPE)|\bRENAME\b|\bALTER\s+COLUMN\s+\w+\s+(SET\s+DATA\s+)?TYPE"
    r"|\bADD\s+(CONSTRAINT|CHECK|UNIQUE|PRIMARY|FOREIGN|EXCLUDE)\b"
    r"|\bSET\s+NOT\s+NULL|\bTRUNCATE\b|\bREVOKE\b|ADD\s+(COLUMN\s+)?(?!.*DEFAULT)[^,;]*NOT\s+NULL",
    re.IGNORECASE,
)


def steps() -> dict[str, str]:
    scripts = ScriptDirectory.from_config(configuration()).walk_revisions()
    return {script.revision: Path(script.path).read_text() for script in scripts}


def test_revisions_are_numbers_in_a_line() -> None:
    directory = ScriptDirectory.from_config(configuration())
    revisions = [script.revision for script in directory.walk_revisions()]
    assert revisions == [f"{number:04}" for number in range(len(revisions), 0, -1)]
    # What the code says it needs is the newest step, of which it is a part.
    assert revisions[0] == NEEDED_REVISION


def test_steps_only_add() -> None:
    """The release before must work with the new schema: both serve while one replaces the other."""
    for revision, text in steps().items():
        if revision > FIRST_RELEASE and revision not in ALLOWED:
            assert not FORBIDDEN.search(text), revision


@pytest.mark.parametrize(
    "statement",
    [
        "DROP TABLE roles",
        "ALTER TABLE roles DROP COLUMN models",
        "ALTER TABLE roles RENAME models TO names",
        "ALTER TABLE roles ALTER COLUMN name TYPE varchar(10)",
        "ALTER TABLE roles ALTER COLUMN name SET DATA TYPE varchar(10)",
        "ALTER TABLE roles ALTER COLUMN models SET NOT NULL",
        "ALTER TABLE roles ADD COLUMN owner text NOT NULL",
        "ALTER TABLE roles ADD owner text NOT NULL",
        "ALTER TABLE roles ADD CONSTRAINT short CHECK (length(name) < 10)",
        "ALTER TABLE roles ADD UNIQUE (description)",
    ],
)
def test_what_takes_away_is_found(statement: str) -> None:
    assert FORBIDDEN.search(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE roles ADD COLUMN owner text NOT NULL DEFAULT ''",
        "ALTER TABLE roles ADD COLUMN owner text",
        "CREATE TABLE owners (name text NOT NULL)",
        "CREATE INDEX owners_name ON owners (name)",
    ],
)
def test_what_adds_is_not(statement: str) -> None:
    assert not FORBIDDEN.search(statement)


_WITHOUT = """
import sys
for name in ("sqlite3", "_sqlite3", "curses", "readline", "dbm", "tkinter", "test"):
    sys.modules[name] = None
sys.dont_write_bytecode = True
import os
def refuse(event, arguments):
    written = event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
    # Descriptors that are open already, such as standard output, are numbers.
    if written and not isinstance(arguments[0], int) or event in ("os.mkdir", "os.rename", "os.remove"):
        raise PermissionError(f"{event}: {arguments}")
sys.addaudithook(refuse)
from gateway.migrations.__main__ import main
sys.exit(main(os.environ, sys.stdout.buffer))
"""


def test_it_runs_where_nothing_can_be_written(environ: dict[str, str], tmp_path: Path) -> None:
    """The image has no writable path, and not all of the standard library."""
    environ["PYTHONPATH"] = str(Path(configuration().get_main_option("script_location") or "").parents[1])
    result = subprocess.run(
        [sys.executable, "-c", _WITHOUT], cwd=tmp_path, env=environ, capture_output=True, text=True
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert '"event":"migration_finished"' in result.stdout
