"""Starts the emulator as a child process."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local.kubernetes.server import ApiServer
from local.options import ROOT, Options
from local.processes import Child, Children, basic_environment, wait_until
from local.ready import get
from stacks.config.model import Environment


def records_path(options: Options) -> Path:
    """Where the emulator shows what its stand-ins hold."""
    return options.state / "emulator" / "stand-ins.json"


def start_emulator(
    children: Children,
    options: Options,
    environment: Environment,
    kubernetes: ApiServer | None = None,
) -> Child:
    """Start the emulator as the environment's account, and wait until it answers.

    kubernetes: the API that its clusters of EKS have.
    """
    zone = (environment.edge.hosted_zone_id, environment.edge.hosted_zone_name)
    command = [sys.executable, "-m", "local.emulator"]
    command += ["--records", str(records_path(options)), "--hosted-zone", *zone]
    command += ["--outages", str(_outages(options))]
    _outages(options).mkdir(parents=True, exist_ok=True)
    if kubernetes is not None:
        certificate = options.state / "emulator" / "kubernetes.pem"
        certificate.write_text(kubernetes.authority)
        command += ["--kubernetes", kubernetes.endpoint, str(certificate)]
    child = children.start("emulator", command, _variables(options, environment))
    wait_until(child, lambda: get(f"{options.url('emulator')}/_ministack/health") is not None, 30)
    return child


@contextmanager
def lost_region(options: Options, region: str) -> Iterator[Path]:
    """Have the emulator refuse all requests in a region; the file has a line for each that was made."""
    file = _outages(options) / region
    file.touch()
    try:
        yield file
    finally:
        file.unlink()


def enforce_iam(emulator: Child) -> None:
    """Have the emulator check requests against the deployed policies from now on, where it knows how.

    Not before: the bootstrap bucket's policy rightly refuses plain HTTP, all that the emulator speaks here.
    """
    emulator.process.send_signal(signal.SIGUSR1)


def _outages(options: Options) -> Path:
    return records_path(options).parent / "outages"


def _variables(options: Options, environment: Environment) -> dict[str, str]:
    return {
        **basic_environment(),
        "PYTHONPATH": str(ROOT),
        "TMPDIR": str(records_path(options).parent),
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(options.ports["emulator"]),
        "MINISTACK_ACCOUNT_ID": environment.account,
        "MINISTACK_REGION": environment.region,
        "DOCKER_HOST": f"unix://{options.state}/no-docker",  # or it would pull images and run the task itself
        "IOT_MTLS_ENABLED": "0",  # or it takes port 8883
        "SFTP_ENABLED": "0",  # or it may take port 2222
    }
