"""Overload: how fast a gateway refuses while many times more comes in than it can take.

Clients in a process of their own send without pause; meanwhile single requests are timed from here,
so that the lag of the clients themselves is not taken for the gateway's.
"""

import argparse
import asyncio
import multiprocessing
import tempfile
import time
from multiprocessing.synchronize import Event
from pathlib import Path

import httpx2
import orjson
from ingest import JSON, RESULT, events, gateway, load, percentile

Timed = dict[int, list[float]]


def hammer(url: str, begun: Event, options: argparse.Namespace) -> None:
    """The clients, to be run in another process."""
    begun.set()
    outcome = asyncio.run(load(url, "logEvents", options))
    print(  # noqa: T201  its purpose
        f"stored {outcome.stored / options.seconds:,.0f} items/s, "
        f"refused {outcome.refused:,} of {outcome.refused + len(outcome.latencies):,} batches"
    )


async def probe(url: str, until: float) -> Timed:
    """Seconds by status, of batches sent one after the other."""
    query = f"mutation ($input: LogEventsInput!) {{ logEvents(input: $input) {RESULT} }}"
    body = orjson.dumps({"query": query, "variables": {"input": events(1, 100)}})
    timed: Timed = {}
    async with httpx2.AsyncClient(timeout=30) as http:
        while time.monotonic() < until:
            began = time.perf_counter()
            answer = await http.post(url, content=body, headers=JSON)
            if answer.status_code >= 500:
                raise SystemExit(answer.text)
            timed.setdefault(answer.status_code, []).append(time.perf_counter() - began)
    return timed


async def main(options: argparse.Namespace) -> None:
    """Prints how fast requests are answered meanwhile, by status."""
    spawn = multiprocessing.get_context("spawn")
    begun = spawn.Event()
    with tempfile.TemporaryDirectory() as folder:
        async with gateway(Path(folder)) as (url, process):
            clients = spawn.Process(target=hammer, args=(url, begun, options))
            clients.start()
            await asyncio.to_thread(begun.wait)
            timed = await probe(url, time.monotonic() + options.seconds)
            await asyncio.to_thread(clients.join)
            for status, seconds in sorted(timed.items()):
                print(  # noqa: T201  its purpose
                    f"{status}: {len(seconds):5} probes, p50 {percentile(seconds, 50):7.1f} ms, "
                    f"p99 {percentile(seconds, 99):7.1f} ms"
                )
            print(f"gateway {process.megabytes:.0f} MB")  # noqa: T201


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--clients", type=int, default=300)
    parser.add_argument("--batch", type=int, default=100)
    parser.set_defaults(patient=False)  # they come back at once, whatever they are told
    asyncio.run(main(parser.parse_args()))
