"""`python -m gateway`: run the gateway until SIGTERM or SIGINT.

With more than one worker, this process starts them and watches them, each `python -m gateway --worker ...`.

Exit status: 0 after draining, 1 if it cannot start, 2 if its settings are wrong.
"""

import argparse
import os
import resource
import sys
from collections.abc import Mapping, Sequence

import uvloop

from gateway.process import StartError, run
from gateway.server import ServerError, listen
from gateway.settings import Settings, SettingsError, load_settings, secret_fields, variable
from gateway.structured_log import StructuredLog
from gateway.workers import Worker, Workers


def main(arguments: Sequence[str] = ()) -> int:
    """Load the settings and run."""
    worker = _worker(arguments)
    environ = dict(os.environ)
    try:
        settings = load_settings(environ)
    except SettingsError as error:
        print(f"The gateway cannot start; mend its environment:\n{error}", file=sys.stderr)
        return 2
    # Nothing that runs later in this process, or that it starts for another purpose, needs to see them.
    for field in secret_fields():
        os.environ.pop(variable(field), None)
    _allow_many_connections()
    # Not buffered: the last lines before a crash are the ones that matter.
    with open(sys.stdout.fileno(), "wb", buffering=0, closefd=False) as stdout:
        log = StructuredLog(stdout, settings.log_level)
        log.take_standard_logging()
        try:
            if settings.workers > 1 and worker is None:
                return _watch_workers(settings, environ, log)
            return _serve(settings, log, worker)
        except (ServerError, StartError) as error:
            print(f"The gateway cannot start:\n{error}", file=sys.stderr)
            return 1


def _allow_many_connections() -> None:
    """Take as many open files as the container allows, two for each stream; many systems begin with 1024."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _worker(arguments: Sequence[str]) -> Worker | None:
    parser = argparse.ArgumentParser(prog="python -m gateway", description="Run the LLM gateway.")
    # Set by the process that starts the workers.
    parser.add_argument("--worker", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--listener", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    return None if given.worker is None else Worker(given.worker, given.listener)


def _serve(settings: Settings, log: StructuredLog, worker: Worker | None) -> int:
    uvloop.run(run(settings, log, worker))
    return 0


def _watch_workers(settings: Settings, environ: Mapping[str, str], log: StructuredLog) -> int:
    with listen(settings.host, settings.port) as listener:
        return uvloop.run(Workers(settings.workers, listener, environ, log).run())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
