"""Writes: dreams created and tests recorded per second, and the CPU of each.

It starts a PostgreSQL and a gateway in production, sends writes by wrk with keys of several users,
and prints a line for each operation: `PYTHONPATH=bench python bench/writes.py --seconds 8`.
"""

import argparse
import asyncio
import os
import random
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from db.core.schema import migrate
from versus.database import Postgres, prepare
from versus.load import result_of
from versus.processes import cpu_seconds, drain, machine_seconds, own_seconds
from versus.running import Running, running
from versus.servers import FOLDER, OURS, SERVERS

CREATE = """mutation ($input: CreateDreamInput!) {
  createDream(input: $input) { dream { id title status } errors { message } }
}"""
RECORD = """mutation ($input: RecordAiTestsInput!) {
  recordAiTests(input: $input) {
    storedCount aiTests { id } refused { index errors { code } }
  }
}"""
BATCH, DREAMS, MODELS = 500, 50, 7  # tests of a batch, and their dreams and models
BODIES = 8  # different batches


@dataclass(frozen=True)
class Writes:
    """Requests of one operation, and the number of items in each."""

    name: str
    bodies: Sequence[bytes]
    size: int
    connections: int


def body(query: str, input: object) -> bytes:
    return orjson.dumps({"query": query, "variables": {"input": input}})


def creates(connections: int) -> Writes:
    input = {"title": "Fold a shirt", "category": "VISION", "tags": ["hands"], "isPublic": True}
    return Writes("createDream", [body(CREATE, input)], 1, connections)


def records(dreams: Sequence[str], connections: int) -> Writes:
    """Each batch has dreams of its own, so that no batch waits for the locks of another."""
    parts = [dreams[start : start + DREAMS] for start in range(0, len(dreams), DREAMS)]
    inputs = [{"tests": [test(part) for _ in range(BATCH)]} for part in parts]
    return Writes("recordAiTests", [body(RECORD, input) for input in inputs], BATCH, connections)


def test(dreams: Sequence[str]) -> dict[str, object]:
    return {
        "dreamId": random.choice(dreams),  # noqa: S311  no secret
        "provider": "openai",
        "model": f"model-{random.randrange(MODELS)}",  # noqa: S311  no secret
        "impossibilityScore": random.randrange(1000, 10_000) / 100,  # noqa: S311  no secret
        "tokensUsed": "1234",
        "durationMs": "1500",
        "reasoning": "It dropped the shirt.",
    }


def made(server: Running) -> str:
    response = server.post(creates(1).bodies[0].decode()).json()
    return str(response["data"]["createDream"]["dream"]["id"])


def measure(server: Running, postgres: Postgres, writes: Writes, seconds: int) -> str:
    """A line of figures."""
    drain(server.pid)
    before, began = used(server, postgres), time.monotonic()
    result = sent(server, postgres, writes, seconds)
    took = time.monotonic() - began
    gateway, database, own, machine = (
        now - earlier for now, earlier in zip(used(server, postgres), before, strict=True)
    )
    items = max(1, result["requests"]) * writes.size
    others = max(0.0, machine - gateway - database - own) / took
    return (
        f"{writes.name:14} {items / result['seconds']:8,.0f} items/s   "
        f"p50 {result['p50']:6.1f} ms  p99 {result['p99']:6.1f} ms   CPU per item: gateway "
        f"{1000 * gateway / items:.3f} ms, PostgreSQL {1000 * database / items:.3f} ms   "
        f"failed {result['failed']:.0f}   other processes {others:.1f} cores"
    )


def used(server: Running, postgres: Postgres) -> tuple[float, float, float, float]:
    """CPU seconds so far: of the gateway, PostgreSQL, the load generator and the machine."""
    return (
        cpu_seconds(server.pid),
        cpu_seconds(postgres.pid),
        own_seconds(),
        machine_seconds(),
    )


def sent(server: Running, postgres: Postgres, writes: Writes, seconds: int) -> dict[str, float]:
    bodies = postgres.folder / "bodies.jsonl"
    bodies.write_bytes(b"\n".join(writes.bodies) + b"\n")
    options = ("--threads", "1", "--connections", f"{writes.connections}", "--timeout", "30s")
    script = ("--duration", f"{seconds}s", "--script", str(FOLDER / "wrk.lua"))
    done = subprocess.run(  # noqa: S603  no input of others
        ["wrk", *options, *script, server.url],  # noqa: S607  found in the path
        env={**os.environ, "BODIES": str(bodies), "KEYS": " ".join(server.keys)},
        capture_output=True,
        text=True,
        check=False,
    )
    return result_of(done.stdout + done.stderr)


def main(options: argparse.Namespace) -> None:
    ours = SERVERS[OURS]
    with (
        tempfile.TemporaryDirectory() as folder,
        Postgres(Path(folder), None) as postgres,
    ):
        asyncio.run(migrate.upgrade(postgres.url))
        postgres.keys = asyncio.run(prepare(postgres.url))
        with running(ours, postgres, None, {}) as server:
            dreams = [made(server) for _ in range(BODIES * DREAMS)]
            for writes in (creates(16), records(dreams, 4)):
                sent(server, postgres, writes, 1)
                print(measure(server, postgres, writes, options.seconds))  # noqa: T201  its purpose


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=8)
    main(parser.parse_args())
