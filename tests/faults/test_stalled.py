"""Many clients that stop reading: they cost little, are cut off, and nobody else notices."""

import asyncio
import os
from pathlib import Path

import httpx2

from faults.world import World
from listening import Listener, listening
from stalling import FOLLOW, load, stalled

SOCKETS, STREAMS = map(int, os.environ.get("FAULT_STALLED", "20,10").split(","))
SECONDS = 35
FULL = 220  # batches, after which as many rows are remembered as ever will be
LAST = 1_000_000  # the batch that ends the load
SIZE = 1_000  # bytes of a report
MOST_GROWTH = 50 * 1024  # kilobytes


async def test_who_does_not_read_costs_little(world: World) -> None:
    assert world.gateway
    pid, address = world.gateway.pid, f"http://127.0.0.1:{world.port}"
    async with httpx2.AsyncClient(timeout=20) as client, listening(address, FOLLOW) as healthy:
        stored = peak = 0
        hearing = asyncio.create_task(hear(healthy))
        for batch in range(FULL):
            stored += len(await load(client, f"{address}/graphql", batch, SIZE))
        before, open = resident(pid), sockets(pid)
        async with stalled(world.port, SOCKETS, STREAMS), asyncio.timeout(SECONDS):
            assert sockets(pid) >= open + SOCKETS + STREAMS
            while sockets(pid) > open:
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


def sockets(pid: int) -> int:
    """How many sockets a process has open."""
    names = [os.readlink(path) for path in Path(f"/proc/{pid}/fd").iterdir() if path.is_symlink()]
    return sum(name.startswith("socket:") for name in names)
