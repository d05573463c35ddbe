"""Many clients that stop reading: they cost little, are cut off, and nobody else notices."""

import asyncio
import os
from pathlib import Path

import httpx2

from faults.world import World
from support.stalled_clients import FOLLOW, load, stalled
from support.stream_client import Listener, listening

SOCKETS, STREAMS = map(int, os.environ.get("TEST_STALLED", "20,10").split(","))
SECONDS = 35
LISTENING, NOBODYS = "0A", "0"  # a state, and the inode of what was closed, in /proc/net/tcp
FULL = 220  # batches, after which as many rows are remembered as ever will be
LAST = 1_000_000  # the batch that ends the load
SIZE = 1_000  # bytes of a report
MOST_GROWTH = 50 * 1024  # kilobytes


async def test_a_client_that_does_not_read_costs_little(world: World) -> None:
    assert world.gateway
    pid, address = world.gateway.pid, f"http://127.0.0.1:{world.port}"
    async with httpx2.AsyncClient(timeout=20) as client, listening(address, FOLLOW) as healthy:
        stored = peak = 0
        hearing = asyncio.create_task(hear(healthy))
        for batch in range(FULL):
            stored += len(await load(client, f"{address}/graphql", batch, SIZE))
        before, open = resident(pid), connections(world.port)
        async with stalled(world.port, SOCKETS, STREAMS), asyncio.timeout(SECONDS):
            assert connections(world.port) == open + SOCKETS + STREAMS
            while connections(world.port) > open:
                stored += len(await load(client, f"{address}/graphql", stored, SIZE))
                peak = max(peak, resident(pid))
        await load(client, f"{address}/graphql", LAST, SIZE)
        assert await hearing == stored
    assert peak - before <= MOST_GROWTH


async def hear(stream: Listener) -> int:
    """How many reports a stream tells before the last one."""
    heard, chunk = 0, await stream.chunk()
    while b'"%d-0"' % LAST not in chunk:
        heard += chunk.count(b'"agentKey"')
        chunk = await stream.chunk()
    return heard + chunk.count(b'"agentKey"') - 100


def resident(pid: int) -> int:
    """Memory of a process, in kilobytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))


def connections(port: int) -> int:
    """How many connections a program holds that others made to its port, on this machine."""
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(
        line[1].endswith(f":{port:04X}") and line[3] != LISTENING and line[9] != NOBODYS
        for line in lines
    )
