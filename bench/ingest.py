"""Ingestion: events and agent reports per second through the GraphQL endpoint, in batches.

It starts a PostgreSQL and a gateway in processes of their own, sends load for some seconds and
prints the result: `python bench/ingest.py --seconds 20`.
"""

import argparse
import asyncio
import os
import random
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import httpx2
import orjson

from db.core.embedded import Embedded
from db.core.schema import migrate

TICKS = os.sysconf("SC_CLK_TCK")
JSON = {"content-type": "application/json"}
RESULT = "{ storedCount refused { index } }"
AGENTS = 143


def events(number: int, size: int) -> dict[str, Any]:
    """A batch of events."""
    return {
        "events": [
            {
                "eventType": "task_finished",
                "source": f"agent-{n % AGENTS}",
                "severity": "INFO",
                "payload": {"task": number, "item": n, "duration_ms": 12.5, "result": "done"},
            }
            for n in range(size)
        ]
    }


def reports(number: int, size: int) -> dict[str, Any]:
    """A batch of reports of as many agents."""
    return {
        "reports": [
            {
                "agentKey": f"agent-{(number * size + n) % AGENTS}",
                "status": "RUNNING",
                "currentTask": {"task": number, "item": n},
                "performanceMetrics": {"responseTime": 12.5, "successRate": 99},
            }
            for n in range(size)
        ]
    }


LOADS: dict[str, tuple[str, Callable[[int, int], dict[str, Any]]]] = {
    "logEvents": ("LogEvents", events),
    "reportAgentStatuses": ("ReportAgentStatuses", reports),
}


@dataclass
class Outcome:
    """The result of one load; latencies of acknowledged batches, in seconds."""

    stored: int = 0
    refused: int = 0
    latencies: list[float] = field(default_factory=list)
    refusals: list[float] = field(default_factory=list)


class Process:
    """The gateway, seen from outside."""

    def __init__(self, pid: int) -> None:
        self.folder = Path(f"/proc/{pid}")

    @property
    def megabytes(self) -> float:
        """Resident memory."""
        lines = (self.folder / "status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024

    @property
    def seconds(self) -> float:
        """Processor time used so far."""
        fields = (self.folder / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS


@asynccontextmanager
async def gateway(
    folder: Path, log: IO[bytes] | None = None, **more: str
) -> AsyncIterator[tuple[str, Process]]:
    """The address of a gateway over a fresh database, and its process. `more` are variables; the
    log goes to standard error unless a file is given."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    embedded = Embedded(folder / "postgres")
    url = await asyncio.to_thread(embedded.start)
    await migrate.upgrade(url)
    settings = {"DATABASE_URL": url, "DREAMNET_PORT": str(port), "DREAMNET_LOG_LEVEL": "warning"}
    budget = {"DREAMNET_BUDGET_POINTS_PER_MINUTE": "1000000000"}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway", "serve"),
        cwd=folder,
        env={**os.environ, **settings, **budget, **more},
        stdout=asyncio.subprocess.PIPE,
        stderr=log,
    )
    try:
        assert process.stdout  # noqa: S101  it is a pipe
        await process.stdout.readline()
        yield f"http://127.0.0.1:{port}/graphql", Process(process.pid)
    finally:
        process.terminate()
        await process.communicate()
        await asyncio.to_thread(embedded.stop)


async def load(url: str, name: str, options: argparse.Namespace) -> Outcome:
    """Clients that send one batch after the other until the time is up."""
    type_, make = LOADS[name]
    query = f"mutation ($input: {type_}Input!) {{ {name}(input: $input) {RESULT} }}"
    outcome, end = Outcome(), time.monotonic() + options.seconds

    async def client(http: httpx2.AsyncClient, number: int) -> None:
        while time.monotonic() < end:
            variables = {"input": make(number, options.batch)}
            body = orjson.dumps({"query": query, "variables": variables})
            wait = await _post(http, url, name, body, outcome)
            if options.patient:
                await asyncio.sleep(wait * random.uniform(1, 2))  # noqa: S311  no secret

    limits = httpx2.Limits(max_connections=options.clients)
    async with httpx2.AsyncClient(timeout=30, limits=limits) as http:
        await asyncio.gather(*(client(http, n) for n in range(options.clients)))
    return outcome


async def _post(
    http: httpx2.AsyncClient, url: str, name: str, body: bytes, outcome: Outcome
) -> float:
    """Record the result of a batch. Return the seconds to wait before the next one."""
    began = time.perf_counter()
    answer = await http.post(url, content=body, headers=JSON)
    took = time.perf_counter() - began
    if answer.status_code == 429:
        outcome.refused += 1
        outcome.refusals.append(took)
        return float(answer.headers["retry-after"])
    content = answer.json()
    if "errors" in content:
        raise SystemExit(f"{answer.status_code}: {content['errors'][0]}")
    outcome.stored += content["data"][name]["storedCount"]
    outcome.latencies.append(took)
    return 0.0


def percentile(values: list[float], percent: int) -> float:
    """In milliseconds."""
    return 1000 * (statistics.quantiles(values, n=100)[percent - 1] if len(values) > 1 else 0.0)


async def main(options: argparse.Namespace) -> None:
    """Run the loads one after the other and prints a line for each."""
    with tempfile.TemporaryDirectory() as folder:
        async with gateway(Path(folder)) as (url, process):
            await load(url, "logEvents", argparse.Namespace(**{**vars(options), "seconds": 1}))
            for name in options.loads:
                memory, used, began = process.megabytes, process.seconds, time.monotonic()
                outcome = await load(url, name, options)
                took = time.monotonic() - began
                busy = (process.seconds - used) / took
                print(  # noqa: T201  its purpose
                    f"{name:20} {outcome.stored / took:8,.0f} items/s   ack p50 "
                    f"{percentile(outcome.latencies, 50):6.1f} ms  p99 "
                    f"{percentile(outcome.latencies, 99):6.1f} ms   gateway {busy:4.0%} of a core, "
                    f"{memory:.0f} -> {process.megabytes:.0f} MB   refused batches "
                    f"{outcome.refused}, p99 {percentile(outcome.refusals, 99):.1f} ms"
                )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--batch", type=int, default=100, help="items a request")
    parser.add_argument("--loads", nargs="+", choices=LOADS, default=list(LOADS))
    parser.set_defaults(patient=True)
    asyncio.run(main(parser.parse_args()))
