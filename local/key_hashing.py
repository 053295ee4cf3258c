"""The deployed key hashing secret: it lasts as long as the database does, also where the emulator forgets."""

import json
from dataclasses import replace

from gatehouse.key_hashing_secret import FIELD
from gateway.settings import variable
from local import aws
from local.options import Options
from local.task import Task


def keep_key_hashing_secret(options: Options, region: str, task: Task) -> Task:
    """Give the deployed secret the value of the last run, whose database is still there; or note it down.

    In AWS the secret is as lasting as the database: with another value no key of it would be valid.
    Returns the task with the value that holds.
    """
    name = variable("key_hashing_secret")
    kept = options.state / "postgres" / "key-hashing-secret"
    if not kept.exists():
        kept.touch(mode=0o600)
        kept.write_text(task.secrets[name])
        return task
    arn = ":".join(task.secret_sources[name].split(":")[:7])
    value = kept.read_text()
    secrets_manager = aws.client("secretsmanager", options, region)
    secrets_manager.put_secret_value(SecretId=arn, SecretString=json.dumps({FIELD: value}))
    return replace(task, secrets={**task.secrets, name: value})
