"""Where the local platform keeps its state and which ports it takes, from the GATEHOUSE_ variables."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from local.errors import PreconditionError

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENT = "dev"
_DEFAULT_STATE = ROOT / ".local" / "platform"

STATE_VARIABLE = "GATEHOUSE_LOCAL_STATE"
PORT_VARIABLES: Mapping[str, tuple[str, int]] = {
    "gateway": ("GATEHOUSE_GATEWAY_PORT", 8080),
    "emulator": ("GATEHOUSE_EMULATOR_PORT", 4566),
    "bedrock": ("GATEHOUSE_BEDROCK_PORT", 4567),
    "database": ("GATEHOUSE_DATABASE_PORT", 15432),
    "cache": ("GATEHOUSE_CACHE_PORT", 16379),
}


@dataclass(frozen=True, kw_only=True)
class Options:
    """One local platform: its state folder and its ports on 127.0.0.1, by the name of what listens.

    environment: the one of config/ that is deployed.
    """

    state: Path
    ports: Mapping[str, int]
    environment: str = ENVIRONMENT

    @property
    def assembly(self) -> Path:
        """The synthesized cloud assembly; the default platform shares cdk.out/dev with `make synth`."""
        parent = ROOT if self.state == _DEFAULT_STATE else self.state
        return parent / "cdk.out" / self.environment

    @property
    def logs(self) -> Path:
        """One log file per process."""
        return self.state / "logs"

    @property
    def run(self) -> Path:
        """What is running: one JSON file per process."""
        return self.state / "run"

    def url(self, name: str) -> str:
        """The HTTP address of what listens under this name."""
        return f"http://127.0.0.1:{self.ports[name]}"


def read_options(environ: Mapping[str, str], environment: str = ENVIRONMENT) -> Options:
    """Read the GATEHOUSE_ variables. Raises PreconditionError with one line per wrong value."""
    problems: list[str] = []
    ports = {name: _port(variable, default, environ, problems) for name, variable, default in _ports()}
    for name, variable, _ in _ports():
        twins = [other for other in ports if other < name and ports[other] == ports[name]]
        problems += [f"{variable}={ports[name]}: {twin} has this port too; choose another" for twin in twins]
    if problems:
        raise PreconditionError("\n".join(problems))
    state = Path(environ.get(STATE_VARIABLE) or _DEFAULT_STATE).expanduser().resolve()
    return Options(state=state, ports=ports, environment=environment)


def _ports() -> Iterator[tuple[str, str, int]]:
    return ((name, variable, default) for name, (variable, default) in PORT_VARIABLES.items())


def _port(variable: str, default: int, environ: Mapping[str, str], problems: list[str]) -> int:
    value = environ.get(variable, "") or str(default)
    if value.isdecimal() and 1024 <= int(value) <= 65535:
        return int(value)
    problems.append(f"{variable}={value}: not a port this can use; choose a number from 1024 to 65535")
    return default
