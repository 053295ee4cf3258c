"""What ends a recovery's command early, and with which exit code."""

from operations.errors import INTERRUPTED, CommandError

OBJECTIVE_MISSED = 4
WAITS = 5
UNSAFE = 6

CODES = """\
\b
Exit codes:
  0    done, within the objectives
  1    the plan failed or was cancelled, AWS refused, or a check failed
  2    the command line or the environment has to change
  3    AWS does not answer
  4    done, but an objective was missed
  5    the plan goes on or waits, and somebody has to look after it
  6    not begun: it would not be safe; the message says what to do
  130  interrupted; the plan goes on by itself
"""


class UnsafeError(CommandError):
    """Nothing was begun, because of what the message says."""

    exit_code = UNSAFE


class WaitsError(CommandError):
    """The execution waits for a decision, or goes on unwatched."""

    exit_code = WAITS


class UnwatchedError(CommandError):
    """Somebody stopped watching; the execution goes on."""

    exit_code = INTERRUPTED


class ObjectiveMissedError(CommandError):
    """The recovery is done, and took longer or lost more than it may."""

    exit_code = OBJECTIVE_MISSED
