"""Compare the gateway with other GraphQL servers: `make bench-versus`. See README.md.

Markdown goes to standard output, progress to standard error, and all rounds to `results/`.
"""

import argparse
import signal
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import orjson

from versus.database import Postgres
from versus.install import available, missing_programs
from versus.load import Figures, Load, duration
from versus.operations import OPERATIONS
from versus.processes import Cores, cores, drain, machine, megabytes
from versus.running import Running, running
from versus.servers import FOLDER, SERVERS, STANDARD, Server
from versus.tables import Cell, Start, report
from versus.verification import AnswersDiffer, verify

RESULTS = FOLDER / "results"
WARM_UP_SECONDS = 2
TOLERANCE = 0.05  # of the mean size of a response; beyond that some answers were others


@dataclass
class Run:
    """One run of all rounds."""

    options: argparse.Namespace
    postgres: Postgres
    cores: Cores
    commit: str
    dreams: list[str]
    sizes: dict[tuple[str, str], float] = field(default_factory=dict)  # bytes of a response
    rounds: dict[Cell, list[Figures]] = field(default_factory=lambda: defaultdict(list))
    starts: list[Start] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def verify(self, servers: Sequence[Server]) -> None:
        """Compare the answers of all servers. Raises AnswersDiffer."""
        for server in servers:
            with self.running(server) as found:
                for operation in self.options.operations:
                    size = verify(found, self.postgres, operation, self.dreams)
                    self.sizes[server.name, operation] = size
                self.postgres.reset()
        say(f"The answers of {len(servers)} servers are equal.")

    def round(self, servers: Sequence[Server]) -> None:
        for server in servers:
            with self.running(server) as found:
                self.measure(found)

    def running(self, server: Server) -> AbstractContextManager[Running]:
        return running(server, self.postgres, self.cores.server, dict(self.options.env))

    def measure(self, server: Running) -> None:
        """Measure all operations of one server."""
        name = server.server.name
        drain(server.pid)
        idle = megabytes(server.pid)
        for operation in self.options.operations:
            self.measure_operation(server, operation)
        peak = megabytes(server.pid, "VmHWM")
        self.starts.append(Start(name, server.ready_seconds, idle, peak))

    def measure_operation(self, server: Running, operation: str) -> None:
        load = Load(server, self.postgres, self.cores, operation, self.dreams)
        warm = load.measure(min(self.options.connections), WARM_UP_SECONDS)
        for connections in self.options.connections:
            seconds = duration(self.options.seconds, connections, warm.requests_per_second)
            figures = load.measure(connections, seconds)
            cell = Cell(server.server.name, operation, connections)
            self.rounds[cell].append(figures)
            self.check_size(cell, figures)
            say(f"{' '.join(map(str, cell))}: {figures.requests_per_second:,.1f} per second")
        drain(server.pid)
        self.postgres.reset()

    def check_size(self, cell: Cell, figures: Figures) -> None:
        size = self.sizes[cell.server, cell.operation]
        if abs(figures.bytes_per_response - size) > TOLERANCE * size:
            found = f"{figures.bytes_per_response:.0f} bytes, not {size:.0f}"
            self.problems.append(f"Responses of {' '.join(map(str, cell))} had {found}.")

    def as_json(self) -> dict[str, object]:
        return {
            "machine": machine(),
            "cores": str(self.cores),
            "commit": self.commit,
            "options": vars(self.options),
            "starts": [asdict(start) for start in self.starts],
            "measurements": [
                {**cell._asdict(), "round": number, **asdict(figures)}
                for cell, found in self.rounds.items()
                for number, figures in enumerate(found)
            ],
        }


def main() -> int:
    options = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # end what was started
    if missing := missing_programs():
        say(*missing)
        return 2
    servers, skipped = available([SERVERS[name] for name in options.peers])
    say(*skipped)
    began = time.strftime("%Y%m%d-%H%M%S")
    with tempfile.TemporaryDirectory(prefix="versus-") as folder:
        place = cores()
        with Postgres(Path(folder), place.others) as postgres:
            run = prepared(options, postgres, place)
            try:
                run.verify(servers)
            except AnswersDiffer as differ:
                say(f"The answers differ, so nothing is measured: {differ}")
                return 1
            for number in range(options.rounds):
                run.round(in_order(servers, number))
    write(run, began)
    show(run, skipped)
    return 0


def prepared(options: argparse.Namespace, postgres: Postgres, place: Cores) -> Run:
    measured = commit()
    say("Filling the database takes about a minute.")
    postgres.fill()
    dreams = postgres.rows("select id from dreams order by id;")[: options.dreams]
    return Run(options, postgres, place, measured, dreams)


def in_order(servers: Sequence[Server], number: int) -> list[Server]:
    """The servers of a round: each second one runs backwards, so that a machine that becomes slower
    slows all of them."""
    return list(servers) if number % 2 == 0 else list(reversed(servers))


def show(run: Run, skipped: Sequence[str]) -> None:
    options = run.options
    env = "".join(f" {name}={value}" for name, value in options.env)
    sys.stdout.write(
        f"## The gateway ({run.commit}{env}) beside its peers\n\n"
        f"{machine()}; {run.cores}; rounds: {options.rounds}, of {options.seconds} s each.\n"
    )
    for line in [*report(run.rounds, run.starts), *run.problems, *skipped]:
        sys.stdout.write(f"{line}\n")


def write(run: Run, began: str) -> None:
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / f"{began}.json"
    file.write_bytes(orjson.dumps(run.as_json(), option=orjson.OPT_INDENT_2))
    say(f"All rounds are in {file}.")


def commit() -> str:
    """The checkout that is measured, such as `f8ab91e-dirty`."""
    command = ["git", "-C", str(FOLDER), "describe", "--always", "--dirty", "--exclude=*"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "no commit"


def say(*lines: str) -> None:
    """Progress."""
    for line in lines:
        sys.stderr.write(f"{line}\n")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench-versus", description=__doc__)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seconds", type=int, default=2, help="of each measurement")
    parser.add_argument("--peers", nargs="+", choices=SERVERS, default=STANDARD)
    parser.add_argument("--operations", nargs="+", choices=OPERATIONS, default=list(OPERATIONS))
    parser.add_argument("--dreams", type=int, default=1000, help="different IDs that Q1 asks for")
    parser.add_argument("--connections", nargs="+", type=int, default=[16, 64])
    parser.add_argument(
        "--env",
        action="append",
        type=setting,
        default=[],
        metavar="NAME=value",
        help="a setting of the gateway `ours`; `ours-default` is the gateway without it",
    )
    return parser.parse_args()


def setting(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError(f"{text} is not NAME=value")
    return name, value


if __name__ == "__main__":
    sys.exit(main())
