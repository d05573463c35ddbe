"""SIGTERM under load, among clients that do not read: it comes to an end, and nothing that was
acknowledged is lost."""

import time

import httpx2
import pytest

from faults.test_ingest_killed import History, check, load, stored
from faults.world import World
from support.stalled_clients import load as fill, stalled

MOST_SECONDS = 25
SOCKETS, STREAMS = 20, 20
BATCHES = 10  # of a megabyte each: more than the system takes on behalf of a client


@pytest.fixture(autouse=True)
def _as_in_production(monkeypatch: pytest.MonkeyPatch) -> None:
    """Streams are given the time that production gives them."""
    monkeypatch.setenv("DREAMNET_DRAIN_SECONDS", "2")
    monkeypatch.setenv("DREAMNET_SPREAD_SECONDS", "10")


async def test_nothing_acknowledged_is_lost(world: World) -> None:
    url, history = f"http://127.0.0.1:{world.port}/graphql", History(keyed=True)
    async with load(world, history):
        async with stalled(world.port, SOCKETS, STREAMS), httpx2.AsyncClient(timeout=20) as client:
            for batch in range(BATCHES):
                await fill(client, url, batch)
            await history.grown(by=500)
            assert world.gateway
            began = time.monotonic()
            world.gateway.terminate()
            out, _ = await world.gateway.communicate()
            assert time.monotonic() - began <= MOST_SECONDS
            assert (world.gateway.returncode, out.splitlines()[-1:]) == (0, [b"Stopped."])
            assert history.acknowledged - (await stored(world)).keys() == set()
        await world.start_gateway()
        await history.grown(by=500)
    check(history, await stored(world))
