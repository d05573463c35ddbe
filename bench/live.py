"""Live: latency of a report from an agent to all subscribers, and the number of subscribers.

It starts a PostgreSQL and a gateway of its own, connects watchers of `agentStatus` and lets agents
report: `python bench/live.py --watchers 1000 --agents 143 --rate 5`. Watchers are sockets that read
whatever comes; each fiftieth also takes its messages apart and compares the time at which an agent
sent a report, before it was even stored, with the time at which it was read.
"""

import argparse
import asyncio
import random
import select
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import orjson
from ingest import Process, gateway

TICKS_PER_SECOND = 25  # batches of reports: agents report evenly over a second
SAMPLED = 50
PING, PONG = 9, 10
WHOLE_PING = bytes([0x89, 4])
SETTLE_SECONDS = 3.0
REPORT = """mutation ($input: ReportAgentStatusesInput!) {
  reportAgentStatuses(input: $input) { storedCount }
}"""
WATCH = "subscription { agentStatus { kind cursor agents { key status lastActive } } }"
UPGRADE = (
    "GET /graphql HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n"
    "Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n"
)


class Watcher:
    """One socket that is subscribed; a sampled one knows how late each report came."""

    def __init__(self, host: str, port: int, sampled: bool) -> None:
        self.socket = socket.create_connection((host, port), timeout=30)
        self.socket.sendall(UPGRADE.format(host=f"{host}:{port}").encode())
        self._until(b"\r\n\r\n")
        self.socket.sendall(masked(b'{"type":"connection_init"}'))
        self._until(b"connection_ack")
        asked = {"id": "1", "type": "subscribe", "payload": {"query": WATCH}}
        self.socket.sendall(masked(orjson.dumps(asked)))
        self.socket.setblocking(False)
        self.sampled = sampled
        self.begun = b""  # of a frame
        self.delays: list[float] = []
        self.messages = 0

    def _until(self, end: bytes) -> None:
        while end not in self.socket.recv(65536):
            pass

    def read(self, into: memoryview) -> None:
        """Take what has come; answers pings."""
        if not self.sampled:
            self._skim(into)
            return
        size = self.socket.recv_into(into[len(self.begun) :])
        if not size:
            raise EOFError("the gateway hung up")
        into[: len(self.begun)] = self.begun
        end, at = len(self.begun) + size, 0
        while at < end and (frame := header(into, at, end)):
            opcode, start, stop = frame
            if opcode == PING:
                self.socket.sendall(masked(bytes(into[start:stop]), PONG))
            elif stop <= end:
                self._note(orjson.loads(into[start:stop]))
            else:
                break
            at = stop
        self.begun = bytes(into[at:end])

    def _skim(self, into: memoryview) -> None:
        """Search only for a ping; its first byte occurs in none of our JSON."""
        size = self.socket.recv_into(into)
        if not size:
            raise EOFError("the gateway hung up")
        found = into.obj.find(WHOLE_PING, 0, size)
        if 0 <= found < size - 5:
            self.socket.sendall(masked(bytes(into[found + 2 : found + 6]), PONG))

    def _note(self, message: Any) -> None:
        now, update = datetime.now(UTC), message["payload"]["data"]["agentStatus"]
        if update["kind"] == "UPDATE":
            self.messages += 1
            for agent in update["agents"]:
                sent = datetime.fromisoformat(agent["lastActive"])
                self.delays.append((now - sent).total_seconds())


def masked(content: bytes, opcode: int = 1) -> bytes:
    """A frame as clients send it, under a mask of zeros."""
    size = len(content)
    length = bytes([0x80 | size]) if size < 126 else bytes([0xFE]) + size.to_bytes(2)
    return bytes([0x80 | opcode]) + length + bytes(4) + content


def header(data: memoryview, at: int, end: int) -> tuple[int, int, int] | None:
    """The opcode of the frame at an offset, and where its content is; None if the frame is
    incomplete."""
    if end - at < 2:
        return None
    short = data[at + 1] & 0x7F
    start = at + 2 + {126: 2, 127: 8}.get(short, 0)
    if end < start:
        return None
    size = short if short < 126 else int.from_bytes(data[at + 2 : start])
    return data[at] & 0x0F, start, start + size


class Crowd:
    """All subscribers, read by one thread."""

    def __init__(self, url: str) -> None:
        self.parts = urlsplit(url)
        self.watchers: dict[int, Watcher] = {}
        self.poll = select.epoll()
        self.into = memoryview(bytearray(1024 * 1024))
        self.reads = 0

    def grow(self, size: int) -> None:
        """Connect watchers up to a number."""
        while len(self.watchers) < size:
            sampled = len(self.watchers) % SAMPLED == 0
            host, port = self.parts.hostname, self.parts.port
            watcher = Watcher(host or "", port or 0, sampled)
            self.watchers[watcher.socket.fileno()] = watcher
            self.poll.register(watcher.socket.fileno(), select.EPOLLIN)
            self.read(0)

    def read(self, seconds: float) -> None:
        """Take what comes within that time."""
        until = time.monotonic() + seconds
        while True:
            for number, _ in self.poll.poll(max(0, until - time.monotonic()), 1024):
                self.reads += 1
                self.watchers[number].read(self.into)
            if time.monotonic() >= until:
                return

    @property
    def sampled(self) -> list[Watcher]:
        return [watcher for watcher in self.watchers.values() if watcher.sampled]

    def forget(self) -> None:
        """Start measuring."""
        for watcher in self.sampled:
            watcher.delays.clear()
            watcher.messages = 0


async def report(url: str, agents: int, rate: float) -> None:
    """Agents that report so many times a second each, until the process is ended."""
    every = 1 / min(TICKS_PER_SECOND, agents * rate)
    size = max(1, round(agents * rate * every))
    number, due = 0, time.monotonic()
    async with httpx2.AsyncClient(timeout=30) as http:
        running: set[asyncio.Task[Any]] = set()
        while True:
            keys = [f"agent-{(number + n) % agents}" for n in range(size)]
            now = datetime.now(UTC).isoformat()
            reports = [{"agentKey": k, "status": _status(), "reportedAt": now} for k in keys]
            body = {"query": REPORT, "variables": {"input": {"reports": reports}}}
            task = asyncio.create_task(http.post(url, json=body))
            running.add(task)
            task.add_done_callback(running.discard)
            number, due = number + size, due + every
            await asyncio.sleep(max(0, due - time.monotonic()))


def _status() -> str:
    return random.choice(("IDLE", "RUNNING", "WAITING"))  # noqa: S311  no secret


def measure(crowd: Crowd, process: Process, url: str, options: argparse.Namespace) -> float:
    """Print one line; returns the 99th percentile in seconds."""
    arguments = ["--report", url, "--agents", str(options.agents), "--rate", str(options.rate)]
    agents = subprocess.Popen([sys.executable, __file__, *arguments])  # noqa: S603  ourselves
    try:
        crowd.read(SETTLE_SECONDS)
        crowd.forget()
        before = process.seconds
        crowd.read(options.seconds)
        spent = process.seconds - before
    finally:
        agents.terminate()
        agents.wait()
    crowd.read(1)
    sampled = crowd.sampled
    delays = sorted(delay for watcher in sampled for delay in watcher.delays)
    each = statistics.mean(watcher.messages for watcher in sampled)
    deliveries = each * len(crowd.watchers)
    p50, p99 = (delays[int(len(delays) * share)] for share in (0.5, 0.99))
    print(  # noqa: T201  its purpose
        f"{len(crowd.watchers):6} watchers  {options.agents * options.rate:5.0f} reports/s"
        f"  p50 {p50 * 1000:4.0f} ms  p99 {p99 * 1000:4.0f} ms  max {delays[-1] * 1000:5.0f} ms"
        f"  {each / options.seconds:4.1f} messages/s each  {deliveries / options.seconds:7.0f}/s"
        f"  {spent / deliveries * 1e6:4.1f} CPU-us each  core {spent / options.seconds:4.0%}"
        f"  {process.megabytes:4.0f} MB"
    )
    return p99


async def main(options: argparse.Namespace) -> None:
    more = {"DREAMNET_MAX_STREAMS": "0", "DREAMNET_MAX_STREAMS_PER_CALLER": "0"}
    with tempfile.TemporaryDirectory() as folder:
        async with gateway(Path(folder), **more) as (url, process):
            await asyncio.to_thread(_watch, url, process, options)


def _watch(url: str, process: Process, options: argparse.Namespace) -> None:
    crowd = Crowd(url)
    for size in options.watchers:
        crowd.grow(size)
        crowd.read(SETTLE_SECONDS)
        measure(crowd, process, url, options)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--watchers", type=int, nargs="+", default=[1000])
    parser.add_argument("--agents", type=int, default=143)
    parser.add_argument("--rate", type=float, default=5, help="reports per agent and second")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--report", metavar="URL", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    given = arguments()
    asyncio.run(report(given.report, given.agents, given.rate) if given.report else main(given))
