"""Where the gateway's CPU time goes under load: `python -m bench.profile [--streams] [--bedrock]`.

Samples taken by py-spy from outside, which does not stop the process for them. Time spent in a C extension
counts for the Python function that called it.
"""

import argparse
import subprocess
from collections import Counter
from pathlib import Path

from bench import processes
from bench.candidate import Running, started
from bench.gatehouse import gatehouse, gatehouse_on_bedrock
from bench.load import read_streams, require_wrk, send_requests
from bench.mock_upstream import PACED
from bench.peers.installation import python_environment
from bench.surroundings import surroundings

_SAMPLES_PER_SECOND = 200
# As few as keep the process busy: beyond that they only wait, and are turned away.
_CONCURRENT = 16
_LINES = 35


def _sample(running: Running, py_spy: Path, folder: Path, *, seconds: int, streams: bool) -> Counter[str]:
    """Samples by stack, outermost function first, separated by semicolons."""
    raw = folder / "stacks"
    options = [
        "--format",
        "raw",
        "--function",
        "--nonblocking",
        "--rate",
        str(_SAMPLES_PER_SECOND),
        "--output",
        str(raw),
    ]
    command = [str(py_spy), "record", *options, "--duration", str(seconds), "--pid", str(running.process.pid)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as recorder:
        if streams:
            read_streams(running.target, concurrent=_CONCURRENT, seconds=seconds + 1, prompt=PACED)
        else:
            send_requests(running.target, connections=_CONCURRENT, seconds=seconds + 1)
        said = recorder.communicate()[1]
    if recorder.returncode != 0:
        raise RuntimeError(f"py-spy cannot look into the gateway (it needs root or ptrace): {said.strip()}")
    return Counter({stack: int(count) for stack, _, count in (line.rpartition(" ") for line in raw.open())})


def _table(title: str, samples: Counter[str], total: int) -> list[str]:
    ranked = samples.most_common(_LINES)
    return [f"\n{title}", *(f"{100 * count / total:6.1f} %  {name}" for name, count in ranked)]


def report(stacks: Counter[str]) -> str:
    """Shares of the time by function: in it alone, and in it with all it calls."""
    alone: Counter[str] = Counter()
    with_callees: Counter[str] = Counter()
    for stack, count in stacks.items():
        functions = stack.split(";")
        alone[functions[-1]] += count
        for function in set(functions):
            with_callees[function] += count
    total = stacks.total()
    lines = [f"{total} samples"]
    lines += _table("in the function itself", alone, total)
    lines += _table("in the function and what it calls", with_callees, total)
    return "\n".join(lines)


def main() -> None:
    """Load the gateway, sample it and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.profile", description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--streams", action="store_true", help="streams of 100 chunks instead of whole answers"
    )
    parser.add_argument("--bedrock", action="store_true", help="through Bedrock's Converse")
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--peers-folder", type=Path, default=processes.PEERS_FOLDER, help="for py-spy")
    arguments = parser.parse_args()
    require_wrk()
    processes.pin(processes.LOAD_CORE)
    py_spy = python_environment(arguments.peers_folder, "py-spy", "py-spy").with_name("py-spy")
    candidate = gatehouse_on_bedrock() if arguments.bedrock else gatehouse()
    with surroundings(arguments.peers_folder) as around, started(candidate, around) as running:
        send_requests(running.target, connections=_CONCURRENT, seconds=2)
        stacks = _sample(
            running, py_spy, around.scratch, seconds=arguments.seconds, streams=arguments.streams
        )
    print(report(stacks))


if __name__ == "__main__":
    main()
