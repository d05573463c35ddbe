"""Request log: its cost, as the ratio of latencies with and without it.

Two gateways with databases of their own run at the same time, one with the log and one without.
They are measured in alternating rounds, so that other load on the machine affects both; each pair
of rounds gives one ratio. A third gateway, also without the log, is measured in the same way: the
deviation of its ratios from 1 is the noise.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from contextlib import AsyncExitStack
from pathlib import Path

import httpx2
import orjson
from ingest import JSON, gateway, percentile

QUERY = "{ dreams(first: 20) { nodes { title } } }"
BODY = orjson.dumps({"query": QUERY})
LOGS = {"on": "on", "off": "off", "off again": "off"}
WARM_UP = 500  # requests to each

Times = dict[str, list[float]]  # milliseconds by gateway, one value a round


async def asked(http: httpx2.AsyncClient, url: str, requests: int) -> list[float]:
    """Seconds of requests sent one after the other."""
    seconds = []
    for _ in range(requests):
        began = time.perf_counter()
        answer = await http.post(url, content=BODY, headers=JSON)
        seconds.append(time.perf_counter() - began)
        if answer.status_code != 200:
            raise SystemExit(answer.text)
    return seconds


async def measured(urls: dict[str, str], options: argparse.Namespace) -> tuple[Times, Times]:
    """The median and the 99th percentile of each round; each begins with another gateway."""
    p50: Times = {name: [] for name in urls}
    p99: Times = {name: [] for name in urls}
    names = list(urls)
    async with httpx2.AsyncClient(timeout=30) as http:
        for url in urls.values():
            await asked(http, url, WARM_UP)
        for _ in range(options.rounds):
            for name in names:
                seconds = await asked(http, urls[name], options.requests)
                p50[name].append(percentile(seconds, 50))
                p99[name].append(percentile(seconds, 99))
            names.append(names.pop(0))
    return p50, p99


def show(what: str, times: Times) -> None:
    """Print the medians of all rounds, and the ratios to the gateway without the log."""
    for name in times:
        line = f"{what}  log {name:9}  {statistics.median(times[name]):6.2f} ms"
        if name != "off":
            ratios = [a / b for a, b in zip(times[name], times["off"], strict=True)]
            low, middle, high = statistics.quantiles(ratios, n=4)
            line += f"   to off {middle:5.3f}, half of the rounds {low:5.3f} to {high:5.3f}"
        print(line)  # noqa: T201  its purpose


async def main(options: argparse.Namespace) -> None:
    """Print the table."""
    with tempfile.TemporaryDirectory() as folder:
        async with AsyncExitStack() as stack:
            urls = {}
            for number, (name, log) in enumerate(LOGS.items()):
                own = Path(folder) / str(number)
                own.mkdir()
                started = gateway(own, DREAMNET_REQUEST_LOG=log)
                urls[name], _ = await stack.enter_async_context(started)
            p50, p99 = await measured(urls, options)
    show("p50", p50)
    show("p99", p99)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--requests", type=int, default=200, help="to each gateway in each round")
    asyncio.run(main(parser.parse_args()))
