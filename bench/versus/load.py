"""Load: one measurement by wrk, with the CPU that server and PostgreSQL used meanwhile."""

import os
import re
import subprocess
import time
from dataclasses import dataclass

import orjson

from versus.database import Postgres
from versus.operations import body, variables
from versus.processes import Cores, cpu_seconds, drain, machine_seconds, own_seconds, pinned
from versus.running import Running
from versus.servers import FOLDER

TIMEOUT_SECONDS = 30
ANSWERS_EACH = 3  # a measurement of a slow server lasts until every client has so many answers,
LONGEST_SECONDS = 12  # but no longer than this


@dataclass(frozen=True)
class Figures:
    """What one measurement found. CPU is in milliseconds for each request."""

    requests_per_second: float
    p50_ms: float
    p99_ms: float
    server_cpu_ms: float
    postgres_cpu_ms: float
    failed: float
    bytes_per_response: float
    foreign_cores: float  # used by other processes meanwhile


@dataclass(frozen=True)
class Load:
    """The load generator, for one server and one operation."""

    server: Running
    postgres: Postgres
    cores: Cores
    operation: str
    dreams: list[str]

    def measure(self, connections: int, seconds: int) -> Figures:
        drain(self.server.pid)
        before = self._used()
        began = time.monotonic()
        result = self._wrk(connections, seconds)
        took = time.monotonic() - began
        server, postgres, own, machine = (
            after - earlier for after, earlier in zip(self._used(), before, strict=True)
        )
        requests = max(1, result["requests"])
        return Figures(
            requests_per_second=requests / result["seconds"],
            p50_ms=result["p50"],
            p99_ms=result["p99"],
            server_cpu_ms=1000 * server / requests,
            postgres_cpu_ms=1000 * postgres / requests,
            failed=result["failed"],
            bytes_per_response=result["bytes"] / requests,
            foreign_cores=max(0.0, machine - server - postgres - own) / took,
        )

    def _used(self) -> tuple[float, float, float, float]:
        """CPU seconds so far: of the server, PostgreSQL, the load generator and the machine."""
        server, postgres = cpu_seconds(self.server.pid), cpu_seconds(self.postgres.pid)
        return server, postgres, own_seconds(), machine_seconds()

    def _wrk(self, connections: int, seconds: int) -> dict[str, float]:
        bodies = self.postgres.folder / "bodies.jsonl"
        requests = variables(self.operation, self.dreams)
        lines = [body(self.server.server, self.operation, values) for values in requests]
        bodies.write_text("\n".join(lines) + "\n")
        options = ("--threads", "1", "--connections", str(connections), "--duration", f"{seconds}s")
        more = ("--timeout", f"{TIMEOUT_SECONDS}s", "--script", str(FOLDER / "wrk.lua"))
        done = subprocess.run(
            pinned(self.cores.others, ["wrk", *options, *more, self.server.url]),
            env={**os.environ, "BODIES": str(bodies), "KEYS": " ".join(self.server.keys)},
            capture_output=True,
            text=True,
            check=False,
        )
        return result_of(done.stdout + done.stderr)


def result_of(output: str) -> dict[str, float]:
    """The line that `wrk.lua` prints."""
    line = re.search(r"^RESULT (.*)$", output, re.MULTILINE)
    if line is None:
        raise SystemExit(f"wrk failed: {output}")
    found: dict[str, float] = orjson.loads(line[1])
    return found


def duration(seconds: int, connections: int, rate: float) -> int:
    """The seconds of a measurement, given the requests per second of the warm-up."""
    needed = int(ANSWERS_EACH * connections / max(rate, 1))
    return max(seconds, min(LONGEST_SECONDS, needed))
