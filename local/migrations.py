"""The deployed migration task as a process, on PostgreSQL in RDS's place."""

import subprocess
import sys

from gatehouse.profiles.gatehouse import PYTHON
from gateway.migrations.settings import variable
from local.errors import LocalError
from local.options import Options
from local.passwords import Passwords
from local.postgres import grant
from local.processes import basic_environment
from local.task import Credentials, Task


def start_migrations(options: Options, task: Task, passwords: Passwords) -> "subprocess.Popen[bytes]":
    """Start the task's command with its deployed variables, but for where the database is and how to sign in.

    RDS would have created the database and its owner; here that is done first. Raises LocalError.
    """
    deployed = {**task.environment, **task.secrets}
    owner = Credentials(username=deployed[variable("username")], password=passwords.owner)
    grant(options, deployed[variable("name")], owner)
    if task.command[:1] != [PYTHON]:
        raise LocalError(f"the task {task.definition} runs {task.command}; only the image's Python is here")
    basics = {name: value for name, value in basic_environment().items() if name in ("PATH", "LANG")}
    with (options.logs / "migrations.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, *task.command[1:]],
            env={**basics, **deployed, **_mapped(options, passwords)},
            cwd=options.state,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        )


def _mapped(options: Options, passwords: Passwords) -> dict[str, str]:
    local = {
        "host": "127.0.0.1",
        "port": str(options.ports["database"]),
        "tls": "false",
        # Only RDS knows IAM.
        "authentication": "password",
        "password": passwords.owner,
        "serving_authentication": "password",
        "serving_password": passwords.serving,
    }
    return {variable(field): value for field, value in local.items()}
