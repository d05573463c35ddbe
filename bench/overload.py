"""Overload: latency of refusals under many times the load that a gateway can serve.

Clients in a process of their own send without pause; meanwhile single requests are timed from here,
where nothing else is done, and beside them how late this process itself is woken: that delay is the
machine's and not the gateway's. The clients stand for other machines, so they get the processor
only when no other process needs it.
"""

import argparse
import asyncio
import multiprocessing
import os
import tempfile
import time
from multiprocessing.synchronize import Event
from pathlib import Path

import httpx2
import orjson
from ingest import JSON, RESULT, events, gateway, load, percentile

PROBES = 4  # connections; a probe that is admitted keeps its connection for as long as that takes
PAUSE = 0.02  # seconds between the probes of one connection, or they would be the load
LOWEST = 19

Timed = dict[int, list[float]]


def hammer(url: str, begun: Event, options: argparse.Namespace) -> None:
    """The clients, to be run in another process."""
    os.nice(LOWEST)
    begun.set()
    outcome = asyncio.run(load(url, "logEvents", options))
    print(  # noqa: T201  its purpose
        f"stored {outcome.stored / options.seconds:,.0f} items/s, "
        f"refused {outcome.refused:,} of {outcome.refused + len(outcome.latencies):,} batches"
    )


async def probe(url: str, body: bytes, until: float, timed: Timed) -> None:
    """Record seconds by status, of batches sent one after the other on one connection."""
    async with httpx2.AsyncClient(timeout=30) as http:
        while time.monotonic() < until:
            began = time.perf_counter()
            answer = await http.post(url, content=body, headers=JSON)
            timed.setdefault(answer.status_code, []).append(time.perf_counter() - began)
            if answer.status_code >= 500:
                raise SystemExit(answer.text)
            await asyncio.sleep(PAUSE)


async def lateness(until: float) -> list[float]:
    """The lateness of a timer of this process, in seconds, repeatedly."""
    late = []
    while time.monotonic() < until:
        began = time.perf_counter()
        await asyncio.sleep(PAUSE)
        late.append(time.perf_counter() - began - PAUSE)
    return late


async def probed(url: str, seconds: float) -> tuple[Timed, list[float]]:
    """Latency of probes by status, and the lateness of their own process."""
    query = f"mutation ($input: LogEventsInput!) {{ logEvents(input: $input) {RESULT} }}"
    body = orjson.dumps({"query": query, "variables": {"input": events(1, 100)}})
    until = time.monotonic() + seconds
    timed: Timed = {}
    probes = asyncio.gather(*(probe(url, body, until, timed) for _ in range(PROBES)))
    late = await lateness(until)
    await probes
    return timed, late


async def main(options: argparse.Namespace) -> None:
    """Print how fast requests are answered meanwhile, by status."""
    spawn = multiprocessing.get_context("spawn")
    begun = spawn.Event()
    with tempfile.TemporaryDirectory() as folder:
        async with gateway(Path(folder)) as (url, process):
            clients = spawn.Process(target=hammer, args=(url, begun, options))
            clients.start()
            await asyncio.to_thread(begun.wait)
            timed, late = await probed(url, options.seconds)
            await asyncio.to_thread(clients.join)
            for status, seconds in sorted(timed.items()):
                show(f"{status}:", seconds)
            show("late:", late)
            print(f"gateway {process.megabytes:.0f} MB")  # noqa: T201  its purpose


def show(name: str, seconds: list[float]) -> None:
    """Print one line of the table."""
    print(  # noqa: T201  its purpose
        f"{name:5} {len(seconds):5} times, p50 {percentile(seconds, 50):7.1f} ms, "
        f"p99 {percentile(seconds, 99):7.1f} ms"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--clients", type=int, default=300)
    parser.add_argument("--batch", type=int, default=100)
    parser.set_defaults(patient=False)  # they retry at once and ignore Retry-After
    asyncio.run(main(parser.parse_args()))
