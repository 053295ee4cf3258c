"""`python -m gateway`: run one gateway process until SIGTERM or SIGINT.

Exit status: 0 after draining, 1 if it cannot start, 2 if its settings are wrong.
"""

import os
import sys

import uvloop

from gateway.process import StartError, run
from gateway.settings import Settings, SettingsError, load_settings, secret_fields, variable
from gateway.structured_log import StructuredLog


def main() -> int:
    """Load the settings and run."""
    try:
        settings = load_settings(os.environ)
    except SettingsError as error:
        print(f"The gateway cannot start; mend its environment:\n{error}", file=sys.stderr)
        return 2
    # Nothing that runs later in this process, or that it starts, needs to see them.
    for field in secret_fields():
        os.environ.pop(variable(field), None)
    # Not buffered: the last lines before a crash are the ones that matter.
    with open(sys.stdout.fileno(), "wb", buffering=0, closefd=False) as stdout:
        return _serve(settings, StructuredLog(stdout, settings.log_level))


def _serve(settings: Settings, log: StructuredLog) -> int:
    log.take_standard_logging()
    try:
        uvloop.run(run(settings, log))
    except StartError as error:
        print(f"The gateway cannot start:\n{error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
