"""`python -m stacks.config.check [environment ...]`: lists what is wrong with the configuration files.

Exit code 0 when all are valid, 2 when not.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from stacks.config.files import CONFIG_DIRECTORY, environment_names
from stacks.config.load import load_configuration
from stacks.config.problems import ConfigError, Problem


def check(names: Sequence[str], directory: Path = CONFIG_DIRECTORY) -> list[Problem]:
    """Return the problems of the named environments' files, of all environments where none is named."""
    problems: list[Problem] = []
    for name in names or environment_names(directory):
        try:
            load_configuration(name, directory)
        except ConfigError as error:
            problems += error.problems
    return problems


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m stacks.config.check", description="Check config/*.yaml.")
    parser.add_argument("environment", nargs="*", help="all, if none is named")
    parser.add_argument("--json", action="store_true", help="print the problems as a JSON list")
    options = parser.parse_args(arguments)
    problems = check(options.environment)
    if options.json:
        print(json.dumps([asdict(problem) for problem in problems], indent=2))
    else:
        print("\n".join(map(str, problems)) or "ok")
    return 2 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
