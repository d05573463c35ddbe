"""Reads: what many clients get at once from one gateway in production, and what it costs.

It starts a PostgreSQL with the rows of `versus` and a gateway, sends reads by wrk with the keys of
administrators, and prints a line for each load: many connections, a caller with many beside one
with few, point reads beside large lists, and the CPU for each row of small and large answers.
`PYTHONPATH=bench python bench/reads.py --seconds 5`.
"""

import argparse
import json
import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from versus.database import Postgres
from versus.load import result_of
from versus.operations import body, variables
from versus.processes import (
    Cores,
    cores,
    cpu_seconds,
    drain,
    machine,
    machine_seconds,
    megabytes,
    own_seconds,
    pin,
    pinned,
    tree,
)
from versus.running import Running, running
from versus.servers import FOLDER, OURS, SERVERS

DREAMS = 1000  # different ids of point reads
ROWS = {100: 1, 1_000: 10, 10_000: 100}  # rows of an answer, and dreams with 99 tests each
SETTINGS = {"DREAMNET_MAX_COST": "100000"}  # an answer of 10,000 rows costs more than is allowed
LENGTHS = {"Q2": 20, "Q3": 20, "Q4": 100}  # rows of the longest page of a list
DIFFERENT = 15  # lengths
LATE_SECONDS = 0.005  # between two looks at how late this process is woken
ACTIVE = "select id from public.dreams where status = 'ACTIVE' order by id desc limit {}"

# The newest dreams get more tests, at the times of those they have.
MORE_TESTS = """
insert into public.ai_tests (id, dream_id, provider, model, impossibility_score, status, created_at)
select overlay(test.id::text placing substr(md5(test.id::text || n), 1, 12) from 25)::uuid,
  test.dream_id, test.provider, test.model, test.impossibility_score, test.status, test.created_at
from public.ai_tests test, generate_series(1, 5) n
where test.dream_id in ({}) and test.status = 'COMPLETED';
analyze public.ai_tests;
"""
MANY_ROWS = """query Rows($first: Int!) {
  dreams(first: $first, filter: {status: {eq: ACTIVE}}) {
    nodes { id title status tests(first: 99) { nodes { id provider model impossibilityScore } } }
  }
}"""


@dataclass(frozen=True)
class Load:
    """Requests of callers with these keys, sent at once on so many connections."""

    name: str
    bodies: Sequence[str]
    keys: Sequence[str]
    connections: int


@dataclass(frozen=True)
class Bench:
    """The gateway that is measured."""

    server: Running
    postgres: Postgres
    cores: Cores
    seconds: int
    dreams: Sequence[str]

    def load(self, operation: str, connections: int, keys: Sequence[str] = ()) -> Load:
        """Requests of different variables, so that none shares the execution of another one."""
        ours = self.server.server
        requests = variables(operation, self.dreams)
        bodies = [body(ours, operation, values) for values in requests]
        if operation in LENGTHS:
            bodies = of_lengths(operation, bodies[0])
        return Load(operation, bodies, keys or self.server.keys, connections)

    def equal(self, operation: str, connections: int) -> Load:
        one = body(self.server.server, operation, {})
        return Load(f"{operation}=", [one], self.server.keys, connections)

    def measure(self, *loads: Load) -> float:
        """Send loads at the same time; print their lines. Return the gateway's CPU in ms for each
        answer of all loads."""
        drain(self.server.pid)
        before, began = self._used(), time.monotonic()
        with lateness() as late:
            sending = [self._wrk(number, load) for number, load in enumerate(loads)]
            results = [result_of(each.communicate()[0]) for each in sending]
        took = time.monotonic() - began
        gateway, database, own, all_cores = (
            now - earlier for now, earlier in zip(self._used(), before, strict=True)
        )
        for load, result in zip(loads, results, strict=True):
            say(
                f"  {load.name:4} {load.connections:5} connections"
                f" {result['requests'] / result['seconds']:9,.1f} answers/s"
                f"   p50 {result['p50']:7.1f} ms  p99 {result['p99']:7.1f} ms"
                f"   failed {result['failed']:.0f}"
            )
        answers = max(1.0, sum(result["requests"] for result in results))
        others = max(0.0, all_cores - gateway - database - own) / took
        say(
            f"       CPU for each answer: gateway {1000 * gateway / answers:.3f} ms, PostgreSQL"
            f" {1000 * database / answers:.3f} ms; gateway {gateway / took:.0%} of a core, other"
            f" processes {others:.1f} cores; timers of the clients p99 {late[0]:.1f} ms late"
        )
        return 1000 * gateway / answers

    def _wrk(self, number: int, load: Load) -> subprocess.Popen[str]:
        bodies = self.postgres.folder / f"bodies-{number}.jsonl"
        bodies.write_text("\n".join(load.bodies) + "\n")
        options = ("--threads", "1", "--connections", str(load.connections), "--timeout", "30s")
        script = ("--duration", f"{self.seconds}s", "--script", str(FOLDER / "wrk.lua"))
        return subprocess.Popen(  # noqa: S603  no input of others
            pinned(self.cores.others, ["wrk", *options, *script, self.server.url]),
            env={**os.environ, "BODIES": str(bodies), "KEYS": " ".join(load.keys)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def _used(self) -> tuple[float, float, float, float]:
        """CPU seconds so far: of the gateway, PostgreSQL, the clients and the machine."""
        server, postgres = cpu_seconds(self.server.pid), cpu_seconds(self.postgres.pid)
        return server, postgres, own_seconds(), machine_seconds()


def of_lengths(operation: str, request: str) -> list[str]:
    """The request of a list, for pages of different lengths."""
    content, longest = json.loads(request), LENGTHS[operation]
    content["query"] = content["query"].replace(f"first: {longest},", "first: $first,")
    content["query"] = content["query"].replace(" {", "($first: Int!) {", 1)
    lengths = range(longest, longest - DIFFERENT, -1)
    return [json.dumps(content | {"variables": {"first": length}}) for length in lengths]


@contextmanager
def lateness() -> Iterator[list[float]]:
    """How late this process is woken, p99 in ms, in the list at the end: that much of a latency may
    be the machine's."""
    found: list[float] = []
    late: list[float] = []
    ended = threading.Event()

    def look() -> None:
        while not ended.is_set():
            began = time.perf_counter()
            time.sleep(LATE_SECONDS)
            late.append(1000 * (time.perf_counter() - began - LATE_SECONDS))

    watch = threading.Thread(target=look)
    watch.start()
    try:
        yield found
    finally:
        ended.set()
        watch.join()
        found.append(sorted(late)[int(0.99 * len(late))] if late else 0.0)


def many_connections(bench: Bench) -> None:
    say("Many connections, the keys of eight administrators:")
    for connections in (16, 256, 1000):
        for operation in ("Q1", "Q2"):
            bench.measure(bench.load(operation, connections))
    say("Lists that are all equal, and share executions:")
    bench.measure(bench.equal("Q2", 1000))


def two_callers(bench: Bench) -> None:
    greedy, modest = bench.server.keys[:1], bench.server.keys[1:2]
    say("A caller with 200 connections, and one with 4 beside it:")
    for operation in ("Q1", "Q3"):
        bench.measure(bench.load(operation, 4, modest))
        bench.measure(bench.load(operation, 200, greedy), bench.load(operation, 4, modest))


def small_beside_large(bench: Bench) -> None:
    large, small = bench.server.keys[:1], bench.server.keys[1:2]
    say("Point reads alone, and beside large lists of another caller:")
    bench.measure(bench.load("Q1", 4, small))
    for connections in (1, 4, 16):
        bench.measure(bench.load("Q4", connections, large), bench.load("Q1", 4, small))


def cost_per_row(bench: Bench) -> None:
    say("Answers of so many rows, one connection:")
    before, fewer = 0.0, 0
    for rows, first in ROWS.items():
        request = {"query": MANY_ROWS, "variables": {"first": first}}
        answer = bench.server.post(json.dumps(request)).json()
        nodes = answer["data"]["dreams"]["nodes"]
        if len(nodes) + sum(len(node["tests"]["nodes"]) for node in nodes) != rows:
            raise SystemExit(f"The answer has not {rows} rows.")
        load = Load("rows", [json.dumps(request)], bench.server.keys[:1], 1)
        cpu = bench.measure(load)
        each = 1000 * (cpu - before) / (rows - fewer)
        say(
            f"  {rows:6,} rows: {each:.2f} µs of the gateway's CPU for each row more than {fewer:,}"
        )
        before, fewer = cpu, rows


PARTS = {
    "connections": many_connections,
    "callers": two_callers,
    "mixed": small_beside_large,
    "rows": cost_per_row,
}


def say(line: str) -> None:
    print(line, flush=True)  # noqa: T201  its purpose


def prefer(nice: int, *pids: int) -> None:
    """Give sessions of processes the weight of that niceness, beside those of other work."""
    for pid in pids if nice else ():
        for each in tree(pid):
            with suppress(FileNotFoundError):  # it has ended
                Path(f"/proc/{each}/autogroup").write_text(str(nice))


def main(options: argparse.Namespace) -> None:
    found = cores()
    say(f"{machine()}; {found}; load average {os.getloadavg()[0]:.1f}")
    pin(os.getpid(), found.others)
    with (
        tempfile.TemporaryDirectory() as folder,
        Postgres(Path(folder), found.others) as postgres,
    ):
        postgres.fill()
        postgres.rows(MORE_TESTS.format(ACTIVE.format(max(ROWS.values()))), user="postgres")
        dreams = postgres.rows(ACTIVE.format(DREAMS), user="postgres")
        settings = SETTINGS | dict(setting.split("=", 1) for setting in options.env)
        with running(SERVERS[OURS], postgres, found.server, settings) as server:
            prefer(options.nice, os.getpid(), postgres.pid, server.pid)
            bench = Bench(server, postgres, found, options.seconds, dreams)
            say(f"idle {megabytes(server.pid):.0f} MB")
            for name in options.parts:
                PARTS[name](bench)
                say(f"most memory so far {megabytes(server.pid, 'VmHWM'):.0f} MB")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=4, help="of each load")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--nice", type=int, default=0, help="below 0, as root: before other work")
    parser.add_argument("--env", nargs="+", default=[], metavar="NAME=VALUE")
    main(parser.parse_args())
